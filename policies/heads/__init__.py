"""Heads: from the memory to controls."""
