"""Frozen settings of a world, in SI units: every number is said here once.

An `Episode` is one concrete draw from a scenario: no ranges, no formulas, nothing left to chance. It is plain
data, so a demonstration can store it and any backend can rebuild the same world from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from sim.datatypes.vocabulary import WEATHER_FIELDS


@dataclass(frozen=True)
class Weather:
    """CARLA's WeatherParameters, by CARLA's names and units (percent; degrees for the sun)."""

    cloudiness: float = 20.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 10.0
    sun_azimuth_angle: float = 40.0
    sun_altitude_angle: float = 45.0
    fog_density: float = 2.0
    fog_distance: float = 0.75
    fog_falloff: float = 0.1
    wetness: float = 0.0
    scattering_intensity: float = 1.0
    mie_scattering_scale: float = 0.03
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0

    def array(self) -> np.ndarray:
        """(14,) float32 in WEATHER_FIELDS order."""
        return np.array([getattr(self, name) for name in WEATHER_FIELDS], np.float32)


@dataclass(frozen=True)
class WeatherChange:
    """The weather turns: some of its numbers go to new values, evenly. `sim.world.weather_schedule` says what that
    comes to.

    Args:
        at: when it begins, after the start of the episode [s].
        over: how long it takes [s]; 0 changes all at once.
        to: (field, new value) of what changes, and of nothing else; in the order of WEATHER_FIELDS.
        name: what the scenario calls it.
    """

    at: float
    over: float = 0.0
    to: tuple[tuple[str, float], ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Script:
    """What an actor does on cue: stand, and then follow a path.

    Args:
        path: points (forward, left) [m] from where the actor stands, in its own frame.
        speed: along it [m/s]; means nothing where there are speeds.
        after, within, near_junction, past: the cue, one of them: so long after the episode's start [s]; ego comes this
            near [m]; ego's rear axle has so many metres left to its junction's edge; it is so far behind that edge [m].
        speeds: of every leg of the path [m/s]; the actor speeds up and brakes from one to the next, and stops at the
            path's end.
    """

    path: tuple[tuple[float, float], ...]
    speed: float = 1.0
    after: float | None = None
    within: float | None = None
    near_junction: float | None = None
    past: float | None = None
    speeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class TrafficSpec:
    """Traffic that lives on the map, besides the actors that a scenario names.

    Args:
        vehicles, walkers: how many move about; parked: how many stand in parking lanes.
        vans, trucks, bicycles: shares of the vehicles; the rest are cars.
        lights: whether traffic lights are in order.
    """

    vehicles: int = 0
    walkers: int = 0
    parked: int = 0
    vans: float = 0.15
    trucks: float = 0.1
    bicycles: float = 0.1
    lights: bool = True

    def mix(self) -> dict[str, float]:
        """Kind -> share of the vehicles.

        Raises:
            ValueError: for shares of more than 1 in all.
        """
        rest = 1.0 - self.vans - self.trucks - self.bicycles
        if min(self.vans, self.trucks, self.bicycles) < 0.0 or rest < -1e-9:
            shares = f"vans {self.vans}, trucks {self.trucks}, bicycles {self.bicycles}"
            raise ValueError(f"the shares of traffic are {shares}; wanted none below 0 and at most 1 in all")
        return {"car": max(rest, 0.0), "van": self.vans, "truck": self.trucks, "bicycle": self.bicycles}

    @property
    def slots(self) -> int:
        """How many slots of a world the traffic takes."""
        return self.vehicles + self.walkers + self.parked


@dataclass(frozen=True)
class ActorSpec:
    """Another road user, placed relative to the junction so that any map can hold it.

    Args:
        name: what the scenario calls it.
        kind: one of BODIES.
        colour: packed 0xRRGGBB; of a walker's clothes, of a cyclist's shirt and frame, and of no cone.
        arm: the arm of the junction, or of another place of decision, that it is on.
        lane: "inbound" (towards the junction) or "outbound" (away from it).
        distance: of its rear axle from the junction's edge along that lane [m].
        side: metres to the right of the lane's centre line; a parked car stands on the verge.
        speed: 0 parks it; otherwise it follows its lane at this speed [m/s].
        present: False leaves the place empty (twins flip this without moving anything else).
        script: what it does on cue; its speed is then the script's.
        turn: "left", "right" or "straight": it drives at its speed through the junction by that way out of its arm, and
            leaves; empty: it keeps to its lane.
        stop_duration: how long it stands at its line, a metre before the junction's edge [s]; None where it does not
            stop.
        takes_turns: it takes turns there with ego and everybody else who queues, see `sim.traffic.all_way_stop`.
        arrival_offset: by how much it comes to its line before ego nominally comes to its own [s], below 0 after it;
            one that does not stop enters the junction then. Its distance follows, see `sim.traffic.arrival_timing`.
            None: it starts where `distance` says.
        tailgates: it drives behind ego at this gap [m], wherever ego goes; arm, lane, distance and speed mean nothing.
        yield_timeout: it stops at its line for ego, where that is near or in the place: until ego has come out of it,
            or has stood at its own line for so long [s]. None: it does not.
        bay: it stands parked in the map's bay of that number, counted from 1 as ego passes them; 0 where in none.
    """

    name: str
    kind: str = "car"
    colour: int = 0x8090A0
    arm: str = "south"
    lane: str = "inbound"
    distance: float = 20.0
    side: float = 0.0
    speed: float = 0.0
    present: bool = True
    script: Script | None = None
    turn: str = ""
    stop_duration: float | None = None
    takes_turns: bool = False
    arrival_offset: float | None = None
    tailgates: float | None = None
    bay: int = 0
    yield_timeout: float | None = None

    @property
    def sent(self) -> bool:
        """Whether `sim.traffic.route_follower` drives it."""
        return bool(self.turn) or self.tailgates is not None


@dataclass(frozen=True)
class SignSpec:
    """A sign beside the road, on a post, facing those who drive towards the junction.

    Args:
        name: what the scenario calls it.
        kind: one of `sim.actors.signs.SIGN_KINDS`: "text" for a board with words, else a traffic sign.
        text: the words of a board; empty for traffic signs.
        colour: one of `sim.render.assets.sign_art.BOARD_COLOURS`; font: one of `sim.render.assets.sign_art.FONTS`; of
            boards only.
        arm: the arm of the junction that it stands on.
        distance: of its post from the junction's edge [m].
        side: metres to the right of the inbound lane's middle.
        weathering: dirt, scratches and fading, 0 (new) to 1; where they are follows from the episode's seed.
        present: False leaves the place empty (twins flip this without moving anything else).
    """

    name: str
    kind: str = "text"
    text: str = ""
    colour: str = "white"
    font: str = "plain"
    arm: str = "south"
    distance: float = 10.0
    side: float = 3.8
    weathering: float = 0.0
    present: bool = True


@dataclass(frozen=True)
class MapSpec:
    """Which map, and which junction of it.

    Args:
        generate: name of a generator in `sim.road.generators.registry`, or None when `file` is given.
        parameters: keyword arguments of the generator, sorted by name.
        file: path of an OpenDRIVE file as the scenario wrote it, or None.
        sha256: of that file's bytes, so that a demonstration never meets another file of the same name.
        junction: index into the file's junctions of the wanted kind.
        kind: of the place of decision: "t" or "x", or one of `sim.road.generators.registry.DECISION_POINTS`.
    """

    generate: str | None = "t_junction"
    parameters: tuple[tuple[str, float], ...] = ()
    file: str | None = None
    sha256: str | None = None
    junction: int = 0
    kind: str = "t"


@dataclass(frozen=True)
class DecisionSpec:
    """How a decision that is no way out of a junction shows in a drive; `sim.world.decision_detectors` reads it.

    Args:
        kind: one of `sim.world.decision_detectors.DETECTORS`.
        actors: whom ego goes before or after, by name; of the kinds that read an order.
        begin, end: the stretch of ego's way that is looked at, from the edge of the place of decision on [m]; negative
            before it. Of the kinds that read a speed.
        below: the speed under which ego has slowed [m/s]; of these kinds, too.
    """

    kind: str
    actors: tuple[str, ...] = ()
    begin: float = 0.0
    end: float = 0.0
    below: float = 0.0


@dataclass(frozen=True)
class DriverState:
    """How the demonstrator is in an episode; nobody else is told.

    Args:
        drowsy: whether it grows drowsy: it weaves, and reacts late; onset: when that begins [s].
        hurry: whether it drives faster than it would, and no different otherwise.
    """

    drowsy: bool = False
    onset: float = 0.0
    hurry: bool = False


HURRY_FACTOR = 1.3  # times the speed of others that one in a hurry likes to drive


@dataclass(frozen=True)
class Episode:
    """One concrete draw from a scenario: everything a backend needs to start a world.

    Args:
        scenario: its name.
        seed: of the world's own chance (rain drops); also the draw's name.
        map: where.
        arm: the arm that ego starts on.
        distance: of ego's rear axle from the junction's edge [m].
        speed: of ego at the start [m/s].
        weather: at the start.
        actors: the others.
        time_limit: [s].
        finish: metres beyond the junction at which ego has arrived [m].
        signs: boards and traffic signs beside the road; `to_dict` leaves them out where there are none.
        traffic: who else lives on the map; left out of `to_dict` where there is none.
        changes: of the weather, later; `to_dict` leaves them out where there are none.
        route: keypoints x, y [m] of a way over the map's lanes, driven instead of a turn at a junction: ego starts at
            the first and has arrived at the last (`sim.road.graph.keypoint_route`). Where there are some, `arm`,
            `distance`, `finish` and the map's junction mean nothing; `to_dict` leaves them out where there are none.
        way: the one way out that ego is to take, a word of DECISIONS; "" where it chooses. Left out of `to_dict` then.
        decision_spec: how the decision shows; None, which `to_dict` leaves out, for the way out that was taken.
        driver_state: of the demonstrator; None, which `to_dict` leaves out, where the scenario knows none.
    """

    scenario: str
    seed: int
    map: MapSpec = field(default_factory=MapSpec)
    arm: str = "south"
    distance: float = 30.0
    speed: float = 6.0
    weather: Weather = field(default_factory=Weather)
    actors: tuple[ActorSpec, ...] = ()
    time_limit: float = 20.0
    finish: float = 12.0
    signs: tuple[SignSpec, ...] = ()
    changes: tuple[WeatherChange, ...] = ()
    traffic: TrafficSpec | None = None
    route: tuple[tuple[float, float], ...] = ()
    way: str = ""
    decision_spec: DecisionSpec | None = None
    driver_state: DriverState | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data; `Episode.from_dict` is its inverse."""
        data = asdict(self)
        # an episode without them is stored as before there were any
        for name in ("signs", "changes", "traffic", "route", "way", "decision_spec", "driver_state"):
            if not data[name]:
                del data[name]
        for actor in data["actors"]:
            for name in _LATER:  # what came into the files' language later
                if actor[name] == _DEFAULTS[name]:
                    del actor[name]
            for name in ("near_junction", "past", "speeds"):
                if "script" in actor and not actor["script"][name] and actor["script"][name] != 0.0:
                    del actor["script"][name]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Episode:
        """Rebuild from `to_dict`'s data.

        Raises:
            ValueError: naming fields that are unknown.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"unknown episode fields {unknown}; known are {sorted(known)}")
        data = dict(data)
        data["map"] = MapSpec(**{**data["map"], "parameters": tuple(tuple(p) for p in data["map"]["parameters"])})
        data["weather"] = Weather(**data["weather"])
        data["actors"] = tuple(_actor(a) for a in data["actors"])
        data["traffic"] = TrafficSpec(**data["traffic"]) if data.get("traffic") else None
        data["signs"] = tuple(SignSpec(**s) for s in data.get("signs", ()))
        data["changes"] = tuple(
            WeatherChange(**{**c, "to": tuple((field, value) for field, value in c["to"])})
            for c in data.get("changes", ())
        )
        data["route"] = tuple((float(x), float(y)) for x, y in data.get("route", ()))
        if data.get("decision_spec"):
            data["decision_spec"] = DecisionSpec(
                **{**data["decision_spec"], "actors": tuple(data["decision_spec"]["actors"])}
            )
        if data.get("driver_state"):
            data["driver_state"] = DriverState(**data["driver_state"])
        return cls(**data)


_LATER = ("script", "turn", "stop_duration", "takes_turns", "arrival_offset", "tailgates", "bay", "yield_timeout")
_DEFAULTS = {f.name: f.default for f in fields(ActorSpec)}


def _actor(data: dict[str, Any]) -> ActorSpec:
    script = data.get("script")
    if script is not None:
        path = tuple((float(f), float(left)) for f, left in script["path"])
        script = Script(**{**script, "path": path, "speeds": tuple(script.get("speeds", ()))})
    return ActorSpec(**{**data, "script": script})
