"""Memories: what a policy carries from tick to tick."""
