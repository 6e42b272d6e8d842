"""Models of road users in a scenario file: actors, their scripts and triggers, driver state and traffic."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from scenarios.schema.base import ARMS, EVERYWHERE, LANES, LONGEST, Model
from scenarios.schema.distributions import Constant, Distribution, read_colour, read_count, read_truth
from sim.actors.registry import BODIES, EGO
from sim.datatypes.episode import ActorSpec, DriverState, TrafficSpec
from sim.datatypes.vocabulary import TURNS
from sim.traffic.state import MOST_POINTS

MOST = 64  # vehicles, walkers and parked cars each
_FAR = 1000.0  # [m] a bound for the points of a script
_SLOWEST = 0.1  # [m/s] of a script: what stands needs none
_POINTS = f"wanted 1 to {MOST_POINTS - 1} points [forward, left], in metres from where the actor stands"


_CUES = ("after", "within", "near_junction", "past")
LATER = (
    "turn",
    "stop_duration",
    "takes_turns",
    "arrival_offset",
    "yield_timeout",
)  # keys of an actor that were added later: they are drawn last


class ScriptModel(Model):
    """A path that an actor follows once a trigger fires: the fields of `sim.datatypes.episode.Script`.

    All fields but path and speeds are distributions. Exactly one trigger is given.
    """

    path: tuple[tuple[float, float], ...]
    speed: Distribution | None = None
    after: Distribution | None = None
    within: Distribution | None = None
    near_junction: Distribution | None = None
    past: Distribution | None = None
    speeds: tuple[float, ...] = ()
    numbers: ClassVar[dict[str, tuple[float, float]]] = {
        "speed": (_SLOWEST, EGO.max_speed),
        "after": (0.0, LONGEST),
        "within": (0.0, EVERYWHERE),
        "near_junction": (0.0, EVERYWHERE),
        "past": (0.0, EVERYWHERE),
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
        given = [k for k in _CUES if getattr(self, k) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(
                f"a script has one trigger, found {found}; wanted after: seconds, within: metres to ego, "
                "near_junction: metres from ego to the junction's edge, or past: metres that ego is behind that edge"
            )
        return self

    @model_validator(mode="after")
    def _check_speeds(self) -> ScriptModel:
        if (self.speed is None) == (not self.speeds):
            found = "neither speed nor speeds" if self.speed is None else "both speed and speeds"
            raise ValueError(f"a script has one pace, found {found}; wanted speed: m/s, or speeds: one for every leg")
        if self.speeds and len(self.speeds) != len(self.path):
            raise ValueError(
                f"found {len(self.speeds)} speeds for a path of {len(self.path)} points; wanted one for every leg, "
                "and a leg leads to each point"
            )
        if odd := next((v for v in self.speeds if not _SLOWEST <= v <= EGO.max_speed), None):
            raise ValueError(f"{odd:g} m/s is out of bounds; wanted speeds from {_SLOWEST:g} to {EGO.max_speed:g} m/s")
        return self

    @property
    def draws(self) -> dict[str, Distribution]:
        """Its distributions by field."""
        fields = {k: getattr(self, k) for k in ("speed", *_CUES)}
        return {k: v for k, v in fields.items() if v is not None}


def _point(raw: Any) -> tuple[float, float]:
    """One point of a path, (forward, left) [m]."""
    numeric = isinstance(raw, list | tuple) and all(isinstance(x, int | float) and type(x) is not bool for x in raw)
    if not numeric or len(raw) != 2:
        raise ValueError(f"found the point {raw!r}; {_POINTS}")
    if odd := next((x for x in raw if not (math.isfinite(x) and abs(x) <= _FAR)), None):
        raise ValueError(f"{odd} is out of bounds; wanted a point within {_FAR:g} m of where the actor stands")
    return float(raw[0]), float(raw[1])


class FollowsModel(Model):
    """Tailgating: the actor drives behind ego, wherever ego goes, at a gap from bumper to bumper [m]."""

    gap: Distribution
    numbers: ClassVar[dict[str, tuple[float, float]]] = {"gap": (1.5, 60.0)}


class ActorModel(Model):
    """Another road user: the fields of `sim.datatypes.episode.ActorSpec`, each a distribution.

    `present` may be the text of a formula.
    """

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z_0-9]*$")
    kind: Distribution = Constant(ActorSpec.kind)
    colour: Distribution = Constant(ActorSpec.colour)
    arm: Distribution = Constant(ActorSpec.arm)
    lane: Distribution = Constant(ActorSpec.lane)
    distance: Distribution = Constant(ActorSpec.distance)
    side: Distribution = Constant(ActorSpec.side)
    speed: Distribution = Constant(ActorSpec.speed)
    present: Distribution | str = Constant(ActorSpec.present)
    script: ScriptModel | None = None
    turn: Distribution = Constant(ActorSpec.turn)
    stop_duration: Distribution | None = None
    takes_turns: Distribution = Constant(ActorSpec.takes_turns)
    arrival_offset: Distribution | None = None
    yield_timeout: Distribution | None = None
    tailgates: FollowsModel | None = None
    bay: int = Field(0, ge=0, le=20, strict=True)
    numbers: ClassVar[dict[str, tuple[float, float]]] = {
        "distance": (0.0, EVERYWHERE),
        "side": (-10.0, 10.0),
        "speed": (0.0, EGO.max_speed),
        "stop_duration": (0.0, LONGEST),
        "arrival_offset": (-LONGEST, LONGEST),
        "yield_timeout": (0.0, LONGEST),
    }
    words: ClassVar[dict[str, tuple[str, ...]]] = {"kind": tuple(BODIES), "arm": ARMS, "lane": LANES, "turn": TURNS}

    @field_validator("colour", mode="before")
    @classmethod
    def _read_colour(cls, value: Any) -> Distribution:
        return read_colour(value)

    @field_validator("takes_turns", mode="before")
    @classmethod
    def _read_queue(cls, value: Any) -> Distribution:
        return read_truth(value)

    @field_validator("present", mode="before")
    @classmethod
    def _read_present(cls, value: Any) -> Distribution | str:
        return value if isinstance(value, str) else read_truth(value)

    @model_validator(mode="after")
    def _check_speed(self) -> ActorModel:
        if self.script is not None and "speed" in self.model_fields_set:
            raise ValueError(
                f"the actor '{self.name}' has a speed and a script; it stands until its trigger fires "
                "and then has the script's speed; wanted the speed in the script alone"
            )
        return self

    @model_validator(mode="after")
    def _check_scripted_route(self) -> ActorModel:
        given = self.model_fields_set
        turns, follows = "turn" in given, self.tailgates is not None
        for key in ("stop_duration", "takes_turns", "arrival_offset", "yield_timeout"):
            if key in given and not turns:
                raise ValueError(f"the actor '{self.name}' has {key} and no turn; wanted turn: left, right or straight")
        for key in ("script", "tailgates"):
            if getattr(self, key) is not None and turns:
                raise ValueError(f"the actor '{self.name}' has a turn and {key}; wanted one of them")
        if self.yield_timeout is not None and self.takes_turns.ends[1]:
            raise ValueError(f"the actor '{self.name}' has yield_timeout and takes_turns; wanted one of them")
        if self.script is not None and follows:
            raise ValueError(f"the actor '{self.name}' has a script and tailgates; wanted one of them")
        if turns and self.speed.ends[0] <= 0.0:
            raise ValueError(f"the actor '{self.name}' has a turn and may have no speed; wanted a speed above 0")
        if self.arrival_offset is not None and "distance" in given:
            raise ValueError(
                f"the actor '{self.name}' has an arrival_offset and a distance; wanted one of them: "
                "with an arrival_offset it starts where it comes in time"
            )
        if idle := [k for k in ("arm", "lane", "distance", "side", "speed") if follows and k in given]:
            raise ValueError(f"the actor '{self.name}' follows ego, so that its {idle[0]} means nothing; wanted none")
        return self


class DriverStateModel(Model):
    """The demonstrator's driver state: the fields of `sim.datatypes.episode.DriverState`, each a distribution.

    `angered_by` names a proposition or a formula of `where:`; while it holds, anger rises
    (`policies.expert.driver_state`).
    """

    drowsy: Distribution = Constant(DriverState.drowsy)
    onset: Distribution = Constant(DriverState.onset)
    hurry: Distribution = Constant(DriverState.hurry)
    angered_by: str = ""
    numbers: ClassVar[dict[str, tuple[float, float]]] = {"onset": (0.0, LONGEST)}

    @field_validator("drowsy", "hurry", mode="before")
    @classmethod
    def _read_truth(cls, value: Any) -> Distribution:
        return read_truth(value)

    @property
    def draws(self) -> dict[str, Distribution]:
        """Its distributions by field."""
        return {k: getattr(self, k) for k in ("drowsy", "onset", "hurry")}


class TrafficModel(Model):
    """Traffic besides the named actors: the fields of `sim.datatypes.episode.TrafficSpec`, each a distribution."""

    vehicles: Distribution = Constant(TrafficSpec.vehicles)
    walkers: Distribution = Constant(TrafficSpec.walkers)
    parked: Distribution = Constant(TrafficSpec.parked)
    vans: Distribution = Constant(TrafficSpec.vans)
    trucks: Distribution = Constant(TrafficSpec.trucks)
    bicycles: Distribution = Constant(TrafficSpec.bicycles)
    lights: Distribution = Constant(TrafficSpec.lights)
    numbers: ClassVar[dict[str, tuple[float, float]]] = dict.fromkeys(("vans", "trucks", "bicycles"), (0.0, 1.0))

    @field_validator("vehicles", "walkers", "parked", mode="before")
    @classmethod
    def _read_count(cls, value: Any) -> Distribution:
        return read_count(value, 0, MOST)

    @field_validator("lights", mode="before")
    @classmethod
    def _read_lights(cls, value: Any) -> Distribution:
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
    def draws(self) -> dict[str, Distribution]:
        """Its distributions by field."""
        return {k: getattr(self, k) for k in type(self).model_fields}

    @property
    def most_slots(self) -> int:
        """The greatest number of slots of a world that the traffic takes."""
        return sum(int(draw.ends[1]) for draw in (self.vehicles, self.walkers, self.parked))
