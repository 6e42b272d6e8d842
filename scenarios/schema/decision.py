"""The key `decision` of a scenario file: how a drive shows the decision, and which decisions a rule may use.

    decision: junction                                  the way out that ego takes
    decision: {order: [west, north]}                    go: ego enters before all of these actors; else wait
    decision: {yield: [west]}                           go: ego enters before them; else yield
    decision: {place: [west, north, east]}              place 1 to 4: ego's place in the order of entering
    decision: {slow: {from: -25, to: 0, below: 4}}      slow: ego is under 4 m/s somewhere there; else go
    decision: {stop: {from: -8, to: 0}}                 stop: ego stands still there; else go
    decision: {reaction: {from: -16, to: -12, below: 5.5}}   early: ego is under 5.5 m/s there; else late
    decision: {lane: {from: -45, to: -8}}               lane 1 to 3: ego's lane there, counted from its own to the left
    decision: bay                                       bay 1 to 6: where ego parks; go: ego does not park
    decision: {gap: {actors: [leader], from: -45, to: -10}}  gap 1 to 3: the seconds that ego keeps to the leader there

Positions are those of ego's front along its route [m], measured from the edge of the decision point, negative before
it. `sim.world.decisions` declares the kinds.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from scenarios.schema.base import Model
from sim.actors.registry import EGO
from sim.core.errors import did_you_mean, known_names
from sim.datatypes.episode import DecisionSpec
from sim.world.decisions.registry import KINDS

WAY_OUT = "junction"
_FAR = 400.0  # [m]
_STILL = 0.1  # [m/s] below which ego has stopped


class StretchModel(Model):
    """A stretch of ego's route, and the speed below which ego counts as slow there."""

    begin: float = Field(alias="from", ge=-_FAR, le=_FAR)
    end: float = Field(alias="to", ge=-_FAR, le=_FAR)
    below: float = Field(_STILL, gt=0.0, le=EGO.max_speed)

    @model_validator(mode="after")
    def _check_order(self) -> StretchModel:
        if self.begin >= self.end:
            raise ValueError(
                f"the stretch goes from {self.begin:g} to {self.end:g} m; wanted it to end behind its begin"
            )
        return self


class DecisionModel(Model):
    """How a drive shows the decision: a kind, with the actors or the stretch that the kind needs."""

    kind: str = WAY_OUT
    actors: tuple[str, ...] = ()
    stretch: StretchModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {data: None}
        if not isinstance(data, dict) or len(data) != 1:
            raise ValueError(
                f"found {data!r}; wanted one of {known_names(KINDS)}, such as 'decision: {{order: [west]}}'"
            )
        ((kind, value),) = data.items()
        if kind not in KINDS:
            raise ValueError(
                f"unknown way to read a decision {kind!r}; "
                f"known are {known_names(KINDS)}{did_you_mean(str(kind), KINDS)}"
            )
        needs, example = KINDS[kind].needs, KINDS[kind].example
        if not needs:
            if value is not None:
                raise ValueError(f"{kind}: found {value!r}; wanted nothing, as in 'decision: {kind}'")
            return {"kind": kind}
        if "stretch" not in needs:
            return {"kind": kind, "actors": _actors(kind, value, example)}
        if not isinstance(value, dict):
            raise ValueError(f"{kind}: found {value!r}; wanted a stretch, such as {example}")
        if "below" in needs and "below" not in value:
            raise ValueError(f"{kind}: the stretch lacks below; wanted a speed [m/s], such as below: 4")
        if "actors" not in needs:
            return {"kind": kind, "stretch": value}
        stretch = {k: v for k, v in value.items() if k != "actors"}
        return {"kind": kind, "actors": _actors(kind, value.get("actors"), example), "stretch": stretch}

    @property
    def decision_spec(self) -> DecisionSpec | None:
        """The `DecisionSpec` of the episodes; None where the decision is the way out."""
        if self.kind == WAY_OUT:
            return None
        if self.stretch is None:
            return DecisionSpec(self.kind, self.actors)
        return DecisionSpec(self.kind, self.actors, self.stretch.begin, self.stretch.end, self.stretch.below)

    @property
    def sayable(self) -> tuple[str, ...] | None:
        """The decisions that this kind can show; None where they are the ways out of the decision point."""
        return KINDS[self.kind].words or None


def _actors(kind: str, value: Any, example: str) -> tuple[str, ...]:
    """The names of actors that a file lists."""
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{kind}: found {value!r}; wanted a list of actors, such as {example}")
    return tuple(value)
