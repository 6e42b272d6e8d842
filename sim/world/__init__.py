"""Worlds: the backend interface, the in-process world, its step, and rollouts."""
