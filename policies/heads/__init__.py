"""Heads: the memory's output to controls."""
