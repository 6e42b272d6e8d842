"""The shape of a scenario file: which keys there are, and what each may hold.

Pydantic models whose leaves are draws (`scenarios.draws`). What needs the whole file at once (does the rule name a
proposition that exists?) is checked in `scenarios.spec`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from scenarios.draws import Draw, Fixed, read_colour, read_grid, read_number, read_truth, read_word
from scenarios.rules.parse import listed, nearest
from sim import maps
from sim.config import EGO, VEHICLES, ActorSpec, Episode, MapSpec, Weather

ARMS: tuple[str, ...] = ("south", "west", "north", "east")
LANES: tuple[str, ...] = ("inbound", "outbound")
JUNCTIONS: tuple[str, ...] = ("t", "x")
_EVERYWHERE = 1e4  # [m] a bound for lengths that the map itself bounds

# Bounds of CARLA's weather [percent, degrees].
WEATHER_BOUNDS: dict[str, tuple[float, float]] = {
    "sun_azimuth_angle": (0.0, 360.0),
    "sun_altitude_angle": (-90.0, 90.0),
    "fog_distance": (0.0, _EVERYWHERE),
    "fog_falloff": (0.0, 100.0),
}
PERCENT = (0.0, 100.0)


def weather_bounds(field: str) -> tuple[float, float]:
    """Least and greatest value of a weather field."""
    return WEATHER_BOUNDS.get(field, PERCENT)


class _Model(BaseModel):
    """Unknown keys are refused; fields listed in `numbers` and `words` are read as draws."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    numbers: ClassVar[dict[str, tuple[float, float]]] = {}
    words: ClassVar[dict[str, tuple[str, ...]]] = {}

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: Any) -> Any:
        if info.field_name in cls.numbers:
            return read_number(value, *cls.numbers[info.field_name])
        if info.field_name in cls.words:
            return read_word(value, cls.words[info.field_name])
        return value


class JunctionModel(_Model):
    """Which junction of a file: a kind, and perhaps the number of one of that kind."""

    kind: Literal["t", "x"] = "t"
    index: int | None = Field(None, ge=0, strict=True)


class MapModel(_Model):
    """A generator with its parameters, or an OpenDRIVE file with a junction of it."""

    generate: str | None = None
    file: str | None = Field(None, min_length=1, strict=True)
    junction: JunctionModel | None = None
    parameters: dict[str, Draw] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"found {data!r}; wanted {{generate: ...}} or {{file: ..., junction: t}}")
        if ("generate" in data) == ("file" in data):
            raise ValueError(f"found the keys {listed(map(str, data))}; wanted exactly one of generate and file")
        data = dict(data)
        if isinstance(data.get("junction"), str):
            data["junction"] = {"kind": data["junction"]}
        if "file" in data:
            if odd := next((k for k in data if k not in ("file", "junction")), None):
                raise ValueError(f"unknown key '{odd}' beside file; known are file, junction")
            return data
        known = maps.RANGES
        name = data.pop("generate")
        if name not in known:
            raise ValueError(f"unknown map generator {name!r}; known are {listed(known)}{nearest(str(name), known)}")
        parameters = {k: data.pop(k) for k in list(data) if k != "junction"}
        for key in parameters:
            if key not in known[name]:
                close = nearest(str(key), known[name])
                raise ValueError(f"unknown parameter '{key}' of {name}; known are {listed(known[name])}{close}")
        return {**data, "generate": name, "parameters": {k: _map_parameter(name, k, v) for k, v in parameters.items()}}

    @property
    def kind(self) -> str:
        """The kind of junction: as asked for, or what the generator makes."""
        if self.junction is not None:
            return self.junction.kind
        return "x" if self.generate == "crossroads" else "t"


def _map_parameter(name: str, parameter: str, raw: Any) -> Draw:
    try:
        return read_grid(raw, *maps.RANGES[name][parameter])
    except ValueError as error:
        raise ValueError(f"{parameter}: {error}") from None


class EgoModel(_Model):
    """Where ego starts: arm, distance of the rear axle from the junction's edge [m], speed [m/s]."""

    start: Draw = Fixed(Episode.arm)
    speed: Draw = Fixed(Episode.speed)
    distance: Draw = Fixed(Episode.distance)
    numbers: ClassVar[dict[str, tuple[float, float]]] = {"speed": (0.0, EGO.max_speed), "distance": (1.0, _EVERYWHERE)}
    words: ClassVar[dict[str, tuple[str, ...]]] = {"start": ARMS}


class ActorModel(_Model):
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
    numbers: ClassVar[dict[str, tuple[float, float]]] = {
        "distance": (0.0, _EVERYWHERE),
        "side": (-10.0, 10.0),
        "speed": (0.0, EGO.max_speed),
    }
    words: ClassVar[dict[str, tuple[str, ...]]] = {"kind": tuple(VEHICLES), "arm": ARMS, "lane": LANES}

    @field_validator("colour", mode="before")
    @classmethod
    def _read_colour(cls, value: Any) -> Draw:
        return read_colour(value)

    @field_validator("present", mode="before")
    @classmethod
    def _read_present(cls, value: Any) -> Draw | str:
        return value if isinstance(value, str) else read_truth(value)


class _WeatherBase(_Model):
    """Every weather field: a draw, or the text of a number over other weather fields."""

    @field_validator("*", mode="before")
    @classmethod
    def _read_field(cls, value: Any, info: Any) -> Any:
        return value if isinstance(value, str) else read_number(value, *weather_bounds(info.field_name))


def _weather_field(default: float) -> Any:
    return (Draw | str, Fixed(default))


WeatherModel = create_model(
    "WeatherModel", __base__=_WeatherBase, **{k: _weather_field(v) for k, v in vars(Weather()).items()}
)


class FileModel(_Model):
    """A whole scenario file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    map: MapModel = MapModel.model_validate({"generate": MapSpec.generate})
    ego: EgoModel = EgoModel()
    weather: WeatherModel = WeatherModel()  # type: ignore[valid-type]
    actors: list[ActorModel] = []
    propositions: dict[str, str] = Field(min_length=1)
    rule: str
    decision: Literal["junction"] = "junction"
    time_limit: float = Field(Episode.time_limit, gt=0, le=600)
    finish: float = Field(Episode.finish, ge=0, le=1000)
    balance: dict[str, float] = {}
    splits: dict[str, str | bool] = {"train": True, "test": True}
    known_leaks: list[str] = []
