"""What measures in a served world: a class for every sensor blueprint, by its id.

A sensor is made of its blueprint's attributes and refuses those that cannot be. `number` is its number on the wire,
None where the client works it out by itself; `frame(world, actor)` is the whole frame to send, or None for no news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sim.carla.server.sensors.cameras import RgbCamera

SENSORS: dict[str, Callable[[Mapping[str, str]], Any]] = {"sensor.camera.rgb": RgbCamera}
