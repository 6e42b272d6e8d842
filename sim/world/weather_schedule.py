"""Weather schedule: the weather of an episode at any time, from its start values and its changes.

Between two changes a field is constant; a change moves it linearly to its new value, the sun's azimuth the shorter way
round. A change that begins during another change of the same field starts from the value reached by then.
The weather is a function of the episode and the time alone, so rounding errors do not accumulate over ticks.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sim.datatypes.episode import Episode, Weather, WeatherChange
from sim.datatypes.vocabulary import WEATHER_FIELDS, WEATHER_INDEX

ROUND = ("sun_azimuth_angle",)  # fields that are periodic in 360 degrees


class _Piece(NamedTuple):
    """One change of one field: from `start`, at `at` [s], by `step` in `over` [s], to `end`."""

    at: float
    over: float
    start: float
    step: float
    end: float
    turns: bool

    def value(self, seconds: np.ndarray) -> np.ndarray:
        """The field's value at times `seconds`, none of them before `at`."""
        share = (seconds - self.at) / self.over if self.over > 0 else np.ones_like(seconds)
        value = self.start + self.step * share
        return np.where(share >= 1.0, self.end, value % 360.0 if self.turns else value)


def check_changes(episode: Episode) -> None:
    """Check that the weather changes of an episode are valid.

    Raises:
        ValueError: names the change, the value found and the value wanted.
    """
    for change in episode.changes:
        for what, seconds in (("at", change.at), ("over", change.over)):
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"weather change {change.name!r}: {what} is {seconds}; wanted seconds, 0 or more")
        for field, value in change.to:
            if field not in WEATHER_INDEX:
                raise ValueError(
                    f"weather change {change.name!r}: unknown field {field!r}; known are {', '.join(WEATHER_FIELDS)}"
                )
            if not math.isfinite(value):
                raise ValueError(f"weather change {change.name!r}: {field} is {value}; wanted a finite number")


def weather_at(episode: Episode, seconds: float | np.ndarray) -> np.ndarray:
    """The weather `seconds` after the start of an episode.

    Args:
        seconds: a time, or times of any shape (...) [s].

    Returns:
        (..., 14) float32 in WEATHER_FIELDS order.
    """
    times = np.asarray(seconds, np.float64)
    found = np.empty((*times.shape, len(WEATHER_FIELDS)), np.float32)
    found[...] = episode.weather.array()
    for field in {field for change in episode.changes for field, _ in change.to}:
        for piece in _pieces(episode, field):
            begun = times >= piece.at
            found[begun, WEATHER_INDEX[field]] = piece.value(times[begun])
    return found


def settled(episode: Episode) -> Weather:
    """The weather after all changes, even if the episode ends earlier."""
    if not episode.changes:
        return episode.weather
    return replace(episode.weather, **{field: value for change in _in_order(episode) for field, value in change.to})


def weather_table(episode: Episode, tick: float) -> np.ndarray:
    """The weather per tick until the last change or the time limit: (K, 14) float32; the last row stays in force.

    Args:
        tick: length of a tick [s].
    """
    last = max((change.at + change.over for change in episode.changes), default=0.0)
    rows = 2 + math.ceil(min(last, episode.time_limit) / tick)  # one spare row: the quotient is rounded
    return weather_at(episode, np.arange(rows) * tick)


def _in_order(episode: Episode) -> list[WeatherChange]:
    return sorted(episode.changes, key=lambda change: change.at)


def _pieces(episode: Episode, field: str) -> list[_Piece]:
    """The changes of one field, ordered by start time."""
    pieces: list[_Piece] = []
    start, turns = float(getattr(episode.weather, field)), field in ROUND
    for change in _in_order(episode):
        if field not in (to := dict(change.to)):
            continue
        if pieces:
            start = float(pieces[-1].value(np.array(change.at)))
        step = to[field] - start
        if turns:
            step = (step + 180.0) % 360.0 - 180.0
        pieces.append(_Piece(change.at, change.over, start, step, to[field], turns))
    return pieces
