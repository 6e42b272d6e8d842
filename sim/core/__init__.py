"""Core: kernels, cache, geometry, statistics; nothing of the project is imported here."""
