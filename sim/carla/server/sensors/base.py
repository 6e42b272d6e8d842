"""The base of served sensors: numeric attributes, measurement period, noise, and the parent actor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from sim.actors.tags import TAGS
from sim.carla.server import wire
from sim.carla.server.actors import NO_ACTOR, NO_ROW, Actor
from sim.carla.server.rpc import Refused

_SOON = 1e-6  # [s] tolerance for the rounding of a sum of ticks
_UNKNOWN = "static.unknown"


class Sensor:
    """A sensor that measures every `sensor_tick` seconds, or in every tick.

    Args:
        attributes: of its blueprint, as text.

    Attributes:
        number: on the wire, None where the client computes it by itself.
        limits: attribute -> least and greatest value; other values are refused.
        period: seconds between two measurements, 0 for every tick; span: the time that this measurement covers [s].
        random: the source of noise, seeded by `noise_seed`.
    """

    number: int | None = None
    limits: ClassVar[dict[str, tuple[float, float]]] = {}

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.values = {name: _number(name, attributes[name], low, high) for name, (low, high) in self.limits.items()}
        self.period = _number("sensor_tick", attributes.get("sensor_tick", "0"), 0.0, 1e6)
        self.random = np.random.default_rng(int(_number("noise_seed", attributes.get("noise_seed", "0"), 0.0, 2.0**31)))
        self.span = 0.0
        self._due, self._last = 0.0, -1.0

    def frames(self, world: Any, actor: Actor) -> list[bytes]:
        """Return the frames of this tick, each with its header."""
        if not self.is_due(world):
            return []
        found = self.measure(world, actor)
        return [] if found is None else [self.head(world, actor) + found]

    def is_due(self, world: Any) -> bool:
        """Return whether it measures now; call it once a tick."""
        now = world.elapsed
        if now < self._last:  # a new episode
            self._due = 0.0
        if self.period > 0.0:
            if now + _SOON < self._due:
                return False
            missed = now - self._due > world.delta - _SOON  # no client has listened for a while: start again
            self._due = max(now, self._due + self.period) if not missed else now + self.period
            self.span = world.delta if self._last < 0.0 else now - self._last
        else:
            self.span = world.delta
        self._last = now
        return True

    def measure(self, world: Any, actor: Actor) -> bytes | None:
        """Return the body of this tick's frame, or None for no frame, as in sensors that override `frames`."""
        return None

    def head(self, world: Any, actor: Actor) -> bytes:
        """Return the header of a frame of this tick."""
        place = world.place_of(actor)
        return wire.header(self.number or 0, world.frame, world.elapsed, (*place[0], *place[1]))

    def noise(self, names: tuple[str, ...]) -> np.ndarray:
        """Return (K,) normal noise, with standard deviations from attributes `names`; draws nothing where all are 0."""
        deviation = np.array([self.values[n] for n in names])
        return self.random.normal(size=len(names)) * deviation if deviation.any() else deviation


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise Refused(f"{name} is {text!r}; wanted a number from {low:g} to {high:g}")
    return value


def truth(name: str, text: str) -> bool:
    """Parse a Boolean attribute.

    Raises:
        Refused: for anything but true or false.
    """
    if text.lower() not in ("true", "false", "1", "0"):
        raise Refused(f"{name} is {text!r}; wanted true or false")
    return text.lower() in ("true", "1")


def parent_with_body(world: Any, actor: Actor) -> Actor | None:
    """Return the parent of a sensor if it has a body, else None."""
    parent = world.table.by_id.get(actor.parent) if actor.parent != NO_ACTOR else None
    return parent if parent is not None and parent.row != NO_ROW else None


@contextmanager
def unseen(world: Any, row: int) -> Iterator[None]:
    """Hide a body from rendering and rays within the block; NO_ROW hides none."""
    kinds = world.fleet.world.kind
    kind = kinds[0, row] if row != NO_ROW else 0
    if row != NO_ROW:
        kinds[0, row] = 0
    try:
        yield
    finally:
        if row != NO_ROW:
            kinds[0, row] = kind


def scenery_as_actor(tag: int) -> list[Any]:
    """Return scenery of a tag as the Actor that CARLA makes up for it: type `static.` and the name of its tag."""
    name = f"static.{TAGS[tag].lower()}" if 0 < tag < len(TAGS) else _UNKNOWN
    return [0, NO_ACTOR, [0, name, []], [[0.0] * 3, [0.0] * 3, [0.0] * 3, 0], bytes([tag]), b""]
