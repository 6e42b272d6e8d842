"""Rendering: the passes of the RGB camera."""
