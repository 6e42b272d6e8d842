"""Core utilities that import nothing else of the project: kernels, cache, geometry, statistics."""
