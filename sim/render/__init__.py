"""Rendering: the RGB camera's picture, pass by pass."""
