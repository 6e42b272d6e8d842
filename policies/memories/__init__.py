"""Memories: the recurrent state of a policy between ticks."""
