"""Models of who is on the road: the actors that a scenario names, what they do on cue, and the traffic around them."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from scenarios.draws import Draw, Fixed, read_colour, read_count, read_truth
from scenarios.keys import ARMS, EVERYWHERE, LANES, LONGEST, Model
from sim.config import BODIES, EGO, ActorSpec, TrafficSpec
from sim.walkers import MOST_POINTS

MOST = 64  # vehicles, walkers and parked cars each
_FAR = 1000.0  # [m] a bound for the points of a script
_SLOWEST = 0.1  # [m/s] of a script: what stands needs none
_POINTS = f"wanted 1 to {MOST_POINTS - 1} points [forward, left], in metres from where the actor stands"


class ScriptModel(Model):
    """What an actor does on cue; the fields of `sim.config.Script`. All but the path are draws; one cue is given."""

    path: tuple[tuple[float, float], ...]
    speed: Draw
    after: Draw | None = None
    within: Draw | None = None
    numbers: ClassVar[dict[str, tuple[float, float]]] = {
        "speed": (_SLOWEST, EGO.max_speed),
        "after": (0.0, LONGEST),
        "within": (0.0, EVERYWHERE),
    }

    @field_validator("path", mode="before")
    @classmethod
    def _read_path(cls, value: Any) -> tuple[tuple[float, float], ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"found {value!r}; {_POINTS}")
        if not 1 <= len(value) < MOST_POINTS:
            raise ValueError(f"found {len(value)} points; {_POINTS}")
        return tuple(_point(point) for point in value)

    @model_validator(mode="after")
    def _check_cue(self) -> ScriptModel:
        if (self.after is None) == (self.within is None):
            found = "neither after nor within" if self.after is None else "both after and within"
            raise ValueError(f"a script has one cue, found {found}; wanted after: seconds, or within: metres to ego")
        return self

    @property
    def draws(self) -> dict[str, Draw]:
        """What chance may choose of it, by field."""
        fields = {k: getattr(self, k) for k in ("speed", "after", "within")}
        return {k: v for k, v in fields.items() if v is not None}


def _point(raw: Any) -> tuple[float, float]:
    """One point of a path, (forward, left) [m]."""
    numeric = isinstance(raw, list | tuple) and all(isinstance(x, int | float) and type(x) is not bool for x in raw)
    if not numeric or len(raw) != 2:
        raise ValueError(f"found the point {raw!r}; {_POINTS}")
    if odd := next((x for x in raw if not (math.isfinite(x) and abs(x) <= _FAR)), None):
        raise ValueError(f"{odd} is out of bounds; wanted a point within {_FAR:g} m of where the actor stands")
    return float(raw[0]), float(raw[1])


class ActorModel(Model):
    """Another road user; the fields of `sim.config.ActorSpec`, each a draw. `present` may be a formula's text."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z_0-9]*$")
    kind: Draw = Fixed(ActorSpec.kind)
    colour: Draw = Fixed(ActorSpec.colour)
    arm: Draw = Fixed(ActorSpec.arm)
    lane: Draw = Fixed(ActorSpec.lane)
    distance: Draw = Fixed(ActorSpec.distance)
    side: Draw = Fixed(ActorSpec.side)
    speed: Draw = Fixed(ActorSpec.speed)
    present: Draw | str = Fixed(ActorSpec.present)
    script: ScriptModel | None = None
    numbers: ClassVar[dict[str, tuple[float, float]]] = {
        "distance": (0.0, EVERYWHERE),
        "side": (-10.0, 10.0),
        "speed": (0.0, EGO.max_speed),
    }
    words: ClassVar[dict[str, tuple[str, ...]]] = {"kind": tuple(BODIES), "arm": ARMS, "lane": LANES}

    @field_validator("colour", mode="before")
    @classmethod
    def _read_colour(cls, value: Any) -> Draw:
        return read_colour(value)

    @field_validator("present", mode="before")
    @classmethod
    def _read_present(cls, value: Any) -> Draw | str:
        return value if isinstance(value, str) else read_truth(value)

    @model_validator(mode="after")
    def _check_speed(self) -> ActorModel:
        if self.script is not None and "speed" in self.model_fields_set:
            raise ValueError(
                f"the actor '{self.name}' has a speed and a script; it stands until its cue, and then has the script's "
                "speed; wanted the speed in the script alone"
            )
        return self


class TrafficModel(Model):
    """Who else lives on the map; the fields of `sim.config.TrafficSpec`, each a draw."""

    vehicles: Draw = Fixed(TrafficSpec.vehicles)
    walkers: Draw = Fixed(TrafficSpec.walkers)
    parked: Draw = Fixed(TrafficSpec.parked)
    vans: Draw = Fixed(TrafficSpec.vans)
    trucks: Draw = Fixed(TrafficSpec.trucks)
    bicycles: Draw = Fixed(TrafficSpec.bicycles)
    lights: Draw = Fixed(TrafficSpec.lights)
    numbers: ClassVar[dict[str, tuple[float, float]]] = dict.fromkeys(("vans", "trucks", "bicycles"), (0.0, 1.0))

    @field_validator("vehicles", "walkers", "parked", mode="before")
    @classmethod
    def _read_count(cls, value: Any) -> Draw:
        return read_count(value, 0, MOST)

    @field_validator("lights", mode="before")
    @classmethod
    def _read_lights(cls, value: Any) -> Draw:
        if isinstance(value, str):
            raise ValueError(f"{value!r} is neither true nor false; wanted true, false or {{choice: [true, false]}}")
        return read_truth(value)

    @model_validator(mode="after")
    def _check_shares(self) -> TrafficModel:
        most = {k: float(getattr(self, k).ends[1]) for k in self.numbers}
        if sum(most.values()) > 1.0 + 1e-9:
            found = " + ".join(f"{k} {share:g}" for k, share in most.items())
            raise ValueError(f"the shares come to {found} = {sum(most.values()):g}; wanted at most 1 in all")
        return self

    @property
    def draws(self) -> dict[str, Draw]:
        """What chance may choose of it, by field."""
        return {k: getattr(self, k) for k in type(self).model_fields}

    @property
    def most_slots(self) -> int:
        """How many slots of a world it takes at most."""
        return sum(int(draw.ends[1]) for draw in (self.vehicles, self.walkers, self.parked))
