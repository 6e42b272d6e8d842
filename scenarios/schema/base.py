"""Base class of the pydantic models of a scenario file: strict keys, and values read as distributions.

A model lists its numbers with their bounds and its words; `scenarios.schema.distributions` reads them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

from scenarios.schema.distributions import Distribution, read_number, read_word
from sim.road.generators.registry import DECISION_POINTS

# The arms of all kinds of decision points; `scenarios.schema.arms` lists those of each place.
ARMS: tuple[str, ...] = tuple(
    dict.fromkeys(arm for point in (DECISION_POINTS["crossroads"], *DECISION_POINTS.values()) for arm in point.arms)
)
LANES: tuple[str, ...] = ("inbound", "outbound")
EVERYWHERE = 1e4  # [m] a bound for lengths that the map itself bounds
LONGEST = 600.0  # [s] the longest time limit


class Model(BaseModel):
    """A strict model: it refuses unknown keys and reads the fields listed in `numbers` and `words` as distributions."""

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


def options_of(draw: Distribution) -> tuple[Any, ...]:
    """The possible values of a constant or a choice; (None,) for a range."""
    return getattr(draw, "options", None) or (getattr(draw, "value", None),)
