"""The weather of an episode at any moment: what it starts with, and the changes that come later.

Between two changes a field stays as it is; a change takes it to its new value evenly, the sun's azimuth the short way
round. A change that begins while another is still at work on the same field takes over from where that has come to.
Everything is a function of the episode and the time alone, so no rounding adds up from tick to tick.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sim.datatypes.episode import Episode, Weather, WeatherChange
from sim.datatypes.vocabulary import WEATHER_FIELDS, WEATHER_INDEX

ROUND = ("sun_azimuth_angle",)  # the fields that come back to where they began after 360 degrees


class _Piece(NamedTuple):
    """One change of one field: from `start`, at `at` [s], by `step` in `over` [s], to `end`."""

    at: float
    over: float
    start: float
    step: float
    end: float
    turns: bool

    def value(self, seconds: np.ndarray) -> np.ndarray:
        """The field at times that are not before `at`."""
        share = (seconds - self.at) / self.over if self.over > 0 else np.ones_like(seconds)
        value = self.start + self.step * share
        return np.where(share >= 1.0, self.end, value % 360.0 if self.turns else value)


def check_changes(episode: Episode) -> None:
    """Refuse changes that mean nothing.

    Raises:
        ValueError: naming the change, what was found and what is wanted.
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
    """The weather so many seconds after the start.

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
    """The weather when all changes are over, whether or not the episode lasts so long."""
    if not episode.changes:
        return episode.weather
    return replace(episode.weather, **{field: value for change in _in_order(episode) for field, value in change.to})


def weather_table(episode: Episode, tick: float) -> np.ndarray:
    """The weather at ticks 0, 1, ... until it changes no more or the time is up: (K, 14) float32; the last row stays.

    Args:
        tick: length of a tick [s].
    """
    last = max((change.at + change.over for change in episode.changes), default=0.0)
    rows = 2 + math.ceil(min(last, episode.time_limit) / tick)  # one to spare: quotients round
    return weather_at(episode, np.arange(rows) * tick)


def _in_order(episode: Episode) -> list[WeatherChange]:
    return sorted(episode.changes, key=lambda change: change.at)


def _pieces(episode: Episode, field: str) -> list[_Piece]:
    """The changes of one field in the order of their beginning."""
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
