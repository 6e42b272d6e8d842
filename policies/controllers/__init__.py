"""Controllers: steering and speed along a path."""
