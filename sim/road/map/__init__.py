"""Compiled maps: ground images, surface classes, lanes, scenery and obstacles as arrays for the kernels."""
