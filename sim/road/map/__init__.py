"""Compiled maps: the arrays that kernels read."""
