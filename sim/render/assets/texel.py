"""Texels of the atlas: codes in the alpha channel and mip levels."""

from __future__ import annotations

HOLE, PLAIN, PAINT, WINDOW, LAMP = range(5)  # class of a texel
LEVELS = 6  # mip levels of a texture
PANES = 4  # cells across and down a texture whose windows are lit one by one
