"""Constants of the texture atlas: texel classes in the alpha channel and number of mip levels."""

from __future__ import annotations

HOLE, PLAIN, PAINT, WINDOW, LAMP = range(5)  # class of a texel
LEVELS = 6  # mip levels of a texture
PANES = 4  # cells across and down a texture whose windows are lit individually
