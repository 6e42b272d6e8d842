"""Schema of a scenario file: pydantic models of its keys and values.

Their leaves are distributions (`scenarios.schema.distributions`); the models of road users are in
`scenarios.schema.actors`. Checks that need the whole file (does the rule name a proposition that exists?) are in
`scenarios.scenario`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, create_model, field_validator, model_validator

from scenarios.schema.actors import ActorModel, DriverStateModel, TrafficModel
from scenarios.schema.base import ARMS, EVERYWHERE, LONGEST, Model, options_of
from scenarios.schema.decision import DecisionModel
from scenarios.schema.distributions import (
    GRID,
    Constant,
    Distribution,
    Uniform,
    read_count,
    read_grid,
    read_number,
    read_text,
    read_truth,
)
from sim.actors.registry import EGO
from sim.actors.signs import SIGN_KINDS
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.episode import Episode, MapSpec, SignSpec, Weather, WeatherChange
from sim.datatypes.vocabulary import DECISIONS, WEATHER_FIELDS
from sim.render.assets.sign_art import BOARD_COLOURS, FONTS, check_text
from sim.road.generators.registry import DECISION_POINTS, GENERATORS, DecisionPoint, generators_with
from sim.sensors import registry as sensors
from sim.sensors.base import Sensor, Setting

# Bounds of CARLA's weather [percent, degrees].
WEATHER_BOUNDS: dict[str, tuple[float, float]] = {
    "sun_azimuth_angle": (0.0, 360.0),
    "sun_altitude_angle": (-90.0, 90.0),
    "fog_distance": (0.0, EVERYWHERE),
    "fog_falloff": (0.0, 100.0),
}
PERCENT = (0.0, 100.0)


def weather_bounds(field: str) -> tuple[float, float]:
    """Least and greatest value of a weather field."""
    return WEATHER_BOUNDS.get(field, PERCENT)


class JunctionModel(Model):
    """A decision point of a map: its kind, and optionally the index of one of that kind."""

    kind: str = MapSpec.kind
    index: int | None = Field(None, ge=0, strict=True)

    @field_validator("kind", mode="before")
    @classmethod
    def _check_kind(cls, value: Any) -> Any:
        known = tuple(DECISION_POINTS)
        if value not in known:
            raise ValueError(
                f"unknown kind of decision point {value!r}; known are {known_names(known)}"
                f"{did_you_mean(str(value), known)}"
            )
        return value


class MapModel(Model):
    """A map generator with its parameters, or an OpenDRIVE file with one of its junctions."""

    generate: str | None = None
    file: str | None = Field(None, min_length=1, strict=True)
    junction: JunctionModel | None = None
    parameters: dict[str, Distribution] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"found {data!r}; wanted {{generate: ...}} or {{file: ..., junction: t_junction}}")
        if ("generate" in data) == ("file" in data):
            raise ValueError(f"found the keys {known_names(map(str, data))}; wanted exactly one of generate and file")
        data = dict(data)
        if isinstance(data.get("junction"), str):
            data["junction"] = {"kind": data["junction"]}
        if "file" in data:
            if odd := next((k for k in data if k not in ("file", "junction")), None):
                raise ValueError(f"unknown key '{odd}' beside file; known are file, junction")
            return data
        name = data.pop("generate")
        if name not in GENERATORS:
            raise ValueError(
                f"unknown map generator {name!r}; known are {known_names(GENERATORS)}"
                f"{did_you_mean(str(name), GENERATORS)}"
            )
        parameters, known = {k: data.pop(k) for k in list(data) if k != "junction"}, GENERATORS[name].ranges
        for key in parameters:
            if key not in known:
                close = did_you_mean(str(key), known)
                raise ValueError(f"unknown parameter '{key}' of {name}; known are {known_names(known)}{close}")
        return {**data, "generate": name, "parameters": {k: _map_parameter(name, k, v) for k, v in parameters.items()}}

    @property
    def kind(self) -> str:
        """The kind of decision point: the given one, or the first that the generator's maps have."""
        if self.junction is not None:
            return self.junction.kind
        made = GENERATORS[self.generate].decision_points if self.generate else ()
        return made[0].kind if made else MapSpec.kind

    @property
    def point(self) -> DecisionPoint:
        """The declaration of the kind of decision point."""
        return DECISION_POINTS[self.kind]

    @model_validator(mode="after")
    def _check_place(self) -> MapModel:
        makers = generators_with(self.kind)
        if self.generate is not None and self.point.build is not None and self.generate not in makers:
            raise ValueError(
                f"a map of {self.generate} has no place of kind '{self.kind}'; wanted one of {known_names(makers)}"
            )
        for parameter, most in self.point.most.items():
            drawn = self.parameters.get(parameter)
            if drawn and drawn.ends[1] > most:
                others = [p.kind for p in GENERATORS[str(self.generate)].decision_points if p is not self.point]
                raise ValueError(
                    f"{parameter}: found {drawn.ends[1]:g}; wanted {most} at most where a decision names them, or "
                    f"junction: {known_names(others)}"
                )
        return self


def _map_parameter(name: str, parameter: str, raw: Any) -> Distribution:
    least, most = GENERATORS[name].ranges[parameter]
    try:
        draw = read_number(raw, least, most)
        if parameter in GENERATORS[name].whole and isinstance(draw, Uniform) and draw.high - draw.low < GRID:
            return read_count(raw, int(least), int(most))
        return read_grid(raw, least, most)
    except ValueError as error:
        raise ValueError(f"{parameter}: {error}") from None


class EgoModel(Model):
    """Ego's start: arm, distance of the rear axle from the junction's edge [m], speed [m/s]; and its route.

    `way` fixes the route where the decision is not the way out and the decision point has several.
    """

    start: Distribution = Constant(Episode.arm)
    speed: Distribution = Constant(Episode.speed)
    distance: Distribution = Constant(Episode.distance)
    way: str = ""
    numbers: ClassVar[dict[str, tuple[float, float]]] = {"speed": (0.0, EGO.max_speed), "distance": (1.0, EVERYWHERE)}
    words: ClassVar[dict[str, tuple[str, ...]]] = {"start": ARMS}

    @field_validator("way")
    @classmethod
    def _check_way(cls, value: str) -> str:
        if value not in ("", *DECISIONS):
            raise ValueError(
                f"unknown way '{value}'; known are {known_names(DECISIONS)}{did_you_mean(value, DECISIONS)}"
            )
        return value


class SignModel(Model):
    """A sign beside the road: the fields of `sim.datatypes.episode.SignSpec`, each a distribution.

    A board has a text, other signs have a kind.
    """

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z_0-9]*$")
    kind: Distribution = Constant(SignSpec.kind)
    font: Distribution = Constant(SignSpec.font)  # before the text, which must fit in it
    text: Distribution = Constant(SignSpec.text)
    colour: Distribution = Constant(SignSpec.colour)
    arm: Distribution = Constant(SignSpec.arm)
    distance: Distribution = Constant(SignSpec.distance)
    side: Distribution = Constant(SignSpec.side)
    weathering: Distribution = Constant(SignSpec.weathering)
    present: Distribution = Constant(SignSpec.present)
    numbers: ClassVar[dict[str, tuple[float, float]]] = {
        "distance": (0.0, EVERYWHERE),
        "side": (-10.0, 10.0),
        "weathering": (0.0, 1.0),
    }
    words: ClassVar[dict[str, tuple[str, ...]]] = {
        "kind": SIGN_KINDS,
        "arm": ARMS,
        "colour": tuple(BOARD_COLOURS),
        "font": FONTS,
    }

    @field_validator("text", mode="before")
    @classmethod
    def _read_text(cls, value: Any, info: Any) -> Distribution:
        fonts = options_of(info.data["font"]) if "font" in info.data else FONTS[:1]  # a wrong font has its own error

        def check(text: Any) -> str:
            for font in fonts[1:]:
                check_text(text, font)
            return check_text(text, fonts[0])

        return read_text(value, check)

    @field_validator("present", mode="before")
    @classmethod
    def _read_present(cls, value: Any) -> Distribution:
        if isinstance(value, str):
            raise ValueError(f"{value!r} is neither true nor false; wanted true, false or {{choice: [true, false]}}")
        return read_truth(value)

    @model_validator(mode="after")
    def _check_text(self) -> SignModel:
        board, words = "text" in options_of(self.kind), self.text != Constant(SignSpec.text)
        if board and not words:
            kinds = known_names(k for k in SIGN_KINDS if k != "text")
            raise ValueError(f"the sign '{self.name}' lacks a text; wanted words, or instead one of the kinds {kinds}")
        if words and not board:
            raise ValueError(f"the sign '{self.name}' has a text and a kind that carries none; wanted one of the two")
        return self


class _WeatherBase(Model):
    """Weather fields: each a distribution, or the text of a formula over other weather fields."""

    @field_validator("*", mode="before")
    @classmethod
    def _read_field(cls, value: Any, info: Any) -> Any:
        return value if isinstance(value, str) else read_number(value, *weather_bounds(info.field_name))


def _weather_field(default: float) -> Any:
    return (Distribution | str, Constant(default))


WeatherModel = create_model(
    "WeatherModel", __base__=_WeatherBase, **{k: _weather_field(v) for k, v in vars(Weather()).items()}
)


class ChangeBase(Model):
    """A weather change: its start, its duration, and the new value of each field (a distribution or a formula)."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z_0-9]*$")
    after: Distribution
    over: Distribution = Constant(WeatherChange.over)

    @field_validator("*", mode="before")
    @classmethod
    def _read_field(cls, value: Any, info: Any) -> Any:
        timed = info.field_name in ("after", "over")
        if info.field_name == "name" or (isinstance(value, str) and not timed):
            return value
        return read_number(value, *((0.0, LONGEST) if timed else weather_bounds(info.field_name)))

    @model_validator(mode="after")
    def _check_fields(self) -> ChangeBase:
        if not self.fields:
            raise ValueError(
                f"the change '{self.name}' changes nothing; wanted one at least of {known_names(WEATHER_FIELDS)}"
            )
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The weather fields that change, in the order of WEATHER_FIELDS."""
        return tuple(f for f in WEATHER_FIELDS if getattr(self, f) is not None)


if TYPE_CHECKING:  # type checkers take no class that is made at run time
    ChangeModel = ChangeBase
else:
    fields = dict.fromkeys(WEATHER_FIELDS, (Distribution | str | None, None))
    ChangeModel = create_model("ChangeModel", __base__=ChangeBase, **fields)


class SensorModel(Model):
    """A sensor of ego: a kind of `sim.sensors.registry.SENSORS` with its settings."""

    kind: str
    settings: dict[str, float | int] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        known = sensors.SENSORS
        if not isinstance(data, dict) or "kind" not in data:
            raise ValueError(f"found {data!r}; wanted a kind, such as {{kind: rgb}}; known are {known_names(known)}")
        kind = data["kind"]
        if not isinstance(kind, str) or kind not in known:
            raise ValueError(
                f"unknown kind of sensor {kind!r}; known are {known_names(known)}{did_you_mean(str(kind), known)}"
            )
        defaults = sensors.settings_of(kind)
        found = {k: v for k, v in data.items() if k != "kind"}
        for key in found:
            if key not in defaults:
                close = did_you_mean(str(key), defaults)
                names = f"known are {known_names(defaults)}{close}" if defaults else "it has none"
                raise ValueError(f"unknown setting '{key}' of a sensor of kind {kind}; {names}")
        settings = {k: _setting(k, v, known[kind].settings[k]) for k, v in found.items()}
        sensors.sensor_of(kind, settings)
        return {"kind": kind, "settings": settings}

    def build(self) -> Sensor:
        """Build the sensor."""
        return sensors.sensor_of(self.kind, self.settings)


def _setting(name: str, value: Any, setting: Setting) -> float | int:
    """The value of a sensor's setting, checked against its range."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if not numeric or (setting.whole and value != int(value)) or not setting.low <= value <= setting.high:
        noun = "a whole number" if setting.whole else "a number"
        raise ValueError(f"{name}: found {value!r}; wanted {noun} from {setting.low:g} to {setting.high:g}")
    return int(value) if setting.whole else float(value)


class FileModel(Model):
    """A whole scenario file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    map: MapModel = MapModel.model_validate({"generate": MapSpec.generate})
    ego: EgoModel = EgoModel()
    weather: WeatherModel = WeatherModel()  # type: ignore[valid-type]
    actors: list[ActorModel] = Field(default_factory=list)
    signs: list[SignModel] = Field(default_factory=list)
    changes: list[ChangeModel] = Field(default_factory=list)
    traffic: TrafficModel | None = None
    driver_state: DriverStateModel | None = None
    sensors: dict[str, SensorModel] = Field(default_factory=dict)
    propositions: dict[str, str] = Field(min_length=1)
    where: dict[str, str] = Field(default_factory=dict)
    rule: str
    decision: DecisionModel = DecisionModel.model_validate("junction")
    time_limit: float = Field(Episode.time_limit, gt=0, le=LONGEST)
    finish: float = Field(Episode.finish, ge=0, le=1000)
    balance: dict[str, float] = Field(default_factory=dict)
    splits: dict[str, str | bool] = Field({"train": True, "test": True})
    known_leaks: list[str] = Field(default_factory=list)
    why_hard: str = ""
    shown_by: dict[str, str] = Field(default_factory=dict)

    @field_validator("sensors", mode="after")
    @classmethod
    def _check_names(cls, value: dict[str, SensorModel]) -> dict[str, SensorModel]:
        for name in value:
            if not name.isidentifier() or name in sensors.RESERVED:
                raise ValueError(
                    f"found the name '{name}'; wanted letters, digits and _, "
                    f"and none of {known_names(sensors.RESERVED)}, which every observation has"
                )
        return value
