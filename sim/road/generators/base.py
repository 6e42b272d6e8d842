"""What map generators share: ranges of their parameters, and the check against them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

Generator = Callable[..., str]
# Generator -> parameter -> (least, most), so that a scenario can be checked before it is drawn.
_COMMON: dict[str, tuple[float, float]] = {"arm": (15.0, 200.0), "lane_width": (2.5, 5.0), "radius": (5.0, 25.0)}
_WIDTH = (2.75, 4.0)
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "t_junction": {**_COMMON, "stem": (0.0, 400.0)},
    "crossroads": _COMMON,
    "crossroads_lights": _COMMON,
    "crossroads_stop": _COMMON,
    "roundabout": {"arms": (3, 4), "radius": (12.0, 40.0), "arm": (15.0, 200.0), "lane_width": _WIDTH},
    "grid_town": {
        "blocks_x": (1, 6), "blocks_y": (1, 6), "block": (60.0, 150.0), "lanes": (1, 2), "lane_width": _WIDTH,
        "seed": (0, 1_000_000),
    },
    "merge": {"lanes": (1, 3), "acceleration": (30.0, 300.0), "arm": (30.0, 300.0), "lane_width": _WIDTH},
    "narrow_passage": {
        "passage": (5.0, 100.0), "gap": (2.6, 4.0), "arm": (30.0, 200.0), "taper": (5.0, 20.0), "lane_width": _WIDTH,
        "signs": (0, 1),
    },
    "parking_bays": {
        "bays": (1, 20), "bay": (5.0, 8.0), "depth": (2.0, 2.8), "arm": (15.0, 200.0), "lane_width": _WIDTH,
        "shortest": (0.0, 12.0), "longest": (0.0, 12.0), "seed": (0, 1_000_000),
        "short_1": (0, 1), "short_2": (0, 1), "short_3": (0, 1), "short_4": (0, 1),
    },
    "crosswalk": {"arm": (15.0, 200.0), "lane_width": _WIDTH, "crossing": (2.5, 8.0)},
    "exits": {
        "exits": (2, 4), "spacing": (30.0, 80.0), "shift": (-10.0, 10.0), "arm": (15.0, 200.0), "side": (15.0, 100.0),
        "lane_width": _WIDTH,
    },
    "two_turns": {
        "arm": (15.0, 200.0), "leg": (15.0, 120.0), "side": (15.0, 100.0), "lane_width": _WIDTH, "radius": (5.0, 15.0),
    },
}  # fmt: skip
WHOLE = frozenset({
    "arms", "blocks_x", "blocks_y", "lanes", "seed", "bays", "exits", "short_1", "short_2", "short_3", "short_4",
    "signs",
})  # fmt: skip  # these are whole numbers


def _checked(generator: Generator) -> Generator:
    """The same generator, which refuses values out of its RANGES."""

    @functools.wraps(generator)
    def checked(**parameters: float) -> str:
        check(generator.__name__, parameters)
        return generator(**parameters)

    return checked


def check(name: str, parameters: dict[str, float] | Iterable[str]) -> None:
    """Refuse an unknown generator, an unknown parameter or a value out of range.

    Args:
        parameters: names alone, or names and values.

    Raises:
        ValueError: with what is known.
    """
    if name not in RANGES:
        raise ValueError(f"unknown map generator {name!r}; known are {', '.join(sorted(RANGES))}")
    ranges = RANGES[name]
    for parameter in parameters:
        if parameter not in ranges:
            known = ", ".join(f"{k} ({a:g} to {b:g})" for k, (a, b) in ranges.items())
            raise ValueError(f"map generator {name} has no parameter {parameter!r}; known are {known}")
    if isinstance(parameters, dict):
        for parameter, value in parameters.items():
            least, most = ranges[parameter]
            if not least <= value <= most:  # also refuses NaN
                raise ValueError(f"map generator {name}: {parameter} is {value}, wanted {least:g} to {most:g}")
            if parameter in WHOLE and value != round(value):
                raise ValueError(f"map generator {name}: {parameter} is {value}, wanted a whole number")
