"""The head of a traffic light: its dimensions and the colours of its lamps."""

from __future__ import annotations

import numpy as np

from sim.actors.base import Length

HEAD_FROM = 0.62  # the plate's lower edge, as a share of the height; its upper edge is at 1
LAMP_AHEAD = 0.3  # distance of lamps and plate in front of the pole, as a share of the length
LAMP_LEVELS = (0.915, 0.81, 0.705)  # of red, yellow and green, as shares of the height
LAMP_COLOURS = np.array([[255, 42, 30], [255, 186, 28], [46, 255, 132]], np.float32)  # red, yellow, green
POLE = Length(0.0, 0.16)  # thickness of the pole of a light or a street lamp
