"""The settings of one episode, a concrete draw from a scenario, as frozen dataclasses in SI units.

An `Episode` has no ranges, no formulas and nothing left to chance. It is plain data, so a demonstration can store it
and any backend can rebuild the same world from it.
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
    """A weather change during an episode: some fields move linearly to new values.

    `sim.world.weather_schedule` computes the weather at any time.

    Args:
        at: when the change begins, after the start of the episode [s].
        over: how long it takes [s]; 0 changes the fields at once.
        to: (field, new value) of the fields that change, in the order of WEATHER_FIELDS.
        name: its name in the scenario.
    """

    at: float
    over: float = 0.0
    to: tuple[tuple[str, float], ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Script:
    """A scripted actor: it stands still until a trigger, and then follows a path.

    Args:
        path: points (forward, left) [m] relative to the actor's starting pose.
        speed: along the path [m/s]; ignored where `speeds` are given.
        after, within, near_junction, past: the trigger, one of them: time since the episode's start [s]; distance to
            ego [m]; distance that ego's rear axle has left to its junction's edge [m]; distance beyond that edge [m].
        speeds: speed on every leg of the path [m/s]; the actor accelerates and brakes from one to the next, and stops
            at the path's end.
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
    """Background traffic: vehicles, pedestrians and parked cars besides the actors that a scenario names.

    Args:
        vehicles, walkers: number of moving vehicles and of pedestrians; parked: number of cars in parking lanes.
        vans, trucks, bicycles: shares of the vehicles; the rest are cars.
        lights: whether traffic lights work.
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
            ValueError: for a share below 0, or shares of more than 1 in all.
        """
        rest = 1.0 - self.vans - self.trucks - self.bicycles
        if min(self.vans, self.trucks, self.bicycles) < 0.0 or rest < -1e-9:
            shares = f"vans {self.vans}, trucks {self.trucks}, bicycles {self.bicycles}"
            raise ValueError(f"the shares of traffic are {shares}; wanted none below 0 and at most 1 in all")
        return {"car": max(rest, 0.0), "van": self.vans, "truck": self.trucks, "bicycle": self.bicycles}

    @property
    def slots(self) -> int:
        """The number of actor slots that the traffic takes."""
        return self.vehicles + self.walkers + self.parked


@dataclass(frozen=True)
class ActorSpec:
    """An actor of a scenario: a road user or obstacle, placed relative to the junction so that any map can hold it.

    Args:
        name: its name in the scenario.
        kind: one of `sim.actors.registry.BODIES`.
        colour: packed 0xRRGGBB: a pedestrian's clothes, a cyclist's shirt and frame; cones ignore it.
        arm: the arm of the junction, or of another decision point, that it is on.
        lane: "inbound" (towards the junction) or "outbound" (away from it).
        distance: of its rear axle from the junction's edge along that lane [m].
        side: metres to the right of the lane's centre line; a parked car stands on the verge.
        speed: 0 parks it; otherwise it follows its lane at this speed [m/s].
        present: False leaves the place empty (twins flip this without moving anything else).
        script: its trigger and path; its speed is then the script's.
        turn: "left", "right" or "straight": it drives at its speed from its arm through the junction with this turn,
            and leaves; empty: it stays in its lane.
        stop_duration: how long it stops at its line, a metre before the junction's edge [s]; None: it does not stop.
        takes_turns: it takes turns with ego and all other queuing actors, see `sim.traffic.all_way_stop`.
        arrival_offset: time by which it reaches its line before ego nominally reaches its own [s], below 0 after it;
            an actor that does not stop enters the junction at that time. The start distance is computed from it, see
            `sim.traffic.arrival_timing`. None: it starts at `distance`.
        tailgates: it drives behind ego at this gap [m], wherever ego goes; arm, lane, distance and speed are ignored.
        yield_timeout: it stops at its line and yields to ego while ego is near or inside the decision point, until ego
            has left it, or has stood at its own line for this long [s]. None: it does not yield.
        bay: number of the parking bay that it is parked in, counted from 1 in the order that ego passes them; 0: none.
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
        """Whether it is on a scripted route or tailgates ego, driven by `sim.traffic.route_follower`."""
        return bool(self.turn) or self.tailgates is not None


@dataclass(frozen=True)
class SignSpec:
    """A sign on a post beside the road that faces traffic driving towards the junction.

    Args:
        name: its name in the scenario.
        kind: one of `sim.actors.signs.SIGN_KINDS`: "text" for a board with words, else a traffic sign.
        text: the words of a board; empty for traffic signs.
        colour: one of `sim.render.assets.sign_art.BOARD_COLOURS`; font: one of `sim.render.assets.sign_art.FONTS`;
            boards only.
        arm: the arm of the junction that it stands on.
        distance: of its post from the junction's edge [m].
        side: metres to the right of the inbound lane's middle.
        weathering: dirt, scratches and fading, 0 (new) to 1; the episode's seed decides where they are.
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
    """The map of an episode, and the junction of it.

    Args:
        generate: name of a generator in `sim.road.generators.registry`, or None when `file` is given.
        parameters: keyword arguments of the generator, sorted by name.
        file: path of an OpenDRIVE file as written in the scenario, or None.
        sha256: of that file's bytes, so that a demonstration is never replayed on another file of the same name.
        junction: index into the map's junctions of this kind.
        kind: of the decision point, one of `sim.road.generators.registry.DECISION_POINTS`.
    """

    generate: str | None = "t_junction"
    parameters: tuple[tuple[str, float], ...] = ()
    file: str | None = None
    sha256: str | None = None
    junction: int = 0
    kind: str = "t_junction"


@dataclass(frozen=True)
class DecisionSpec:
    """How to detect a decision that is no turn at a junction; `sim.world.decisions` detects it.

    Args:
        kind: one of `sim.world.decisions.registry.KINDS`.
        actors: names of the actors that ego goes before or after, or follows; for kinds that need them.
        begin, end: the stretch of ego's route that is examined, as distances beyond the edge of the decision point [m];
            negative before it. For kinds that need it.
        below: the speed under which ego has slowed [m/s]; for kinds that need it.
    """

    kind: str
    actors: tuple[str, ...] = ()
    begin: float = 0.0
    end: float = 0.0
    below: float = 0.0


@dataclass(frozen=True)
class DriverState:
    """The driver state of the expert in an episode: drowsy or in a hurry. No other policy receives it as an input.

    Args:
        drowsy: whether it becomes drowsy: it weaves and reacts late; onset: when that begins [s].
        hurry: whether it drives faster; nothing else about its driving changes.
    """

    drowsy: bool = False
    onset: float = 0.0
    hurry: bool = False


HURRY_FACTOR = 1.3  # desired speed of a driver in a hurry, as a multiple of the usual desired speed


@dataclass(frozen=True)
class Episode:
    """One concrete draw from a scenario: everything a backend needs to start a world.

    Args:
        scenario: its name.
        seed: of the world's own random numbers (rain drops); it also identifies the draw.
        map: the map and its junction.
        arm: the arm that ego starts on.
        distance: of ego's rear axle from the junction's edge [m].
        speed: of ego at the start [m/s].
        weather: at the start.
        actors: the other actors.
        time_limit: [s].
        finish: distance beyond the junction at which ego has arrived [m].
        signs: boards and traffic signs beside the road; `to_dict` omits them where there are none.
        traffic: background traffic; `to_dict` omits it where there is none.
        changes: of the weather during the episode; `to_dict` omits them where there are none.
        route: keypoints x, y [m] of a route over the map's lanes, driven instead of a turn at a junction: ego starts at
            the first and has arrived at the last (`sim.road.graph.keypoint_route`). With keypoints, `arm`, `distance`,
            `finish` and the map's junction are ignored; `to_dict` omits the route where there are none.
        way: the route that ego must take, a word of DECISIONS; "", which `to_dict` omits, where ego chooses.
        decision_spec: how the decision is detected; None, which `to_dict` omits, where it is the turn that ego took.
        driver_state: of the expert; None, which `to_dict` omits, where the scenario defines none.
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
        # an episode without these is stored as it was before they were added to the format
        for name in ("signs", "changes", "traffic", "route", "way", "decision_spec", "driver_state"):
            if not data[name]:
                del data[name]
        for actor in data["actors"]:
            for name in _LATER:  # fields that were added to the format later
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
            ValueError: naming the unknown fields.
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
