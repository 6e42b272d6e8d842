"""Units of measure in comparisons, and their conversion to a variable's own unit."""

from __future__ import annotations

# Family -> unit -> (times, by): a value in that unit is value * times / by in the family's first unit.
FAMILIES: dict[str, dict[str, tuple[float, float]]] = {
    "speed": {"m/s": (1.0, 1.0), "km/h": (10.0, 36.0), "mph": (0.44704, 1.0)},
    "length": {"m": (1.0, 1.0), "km": (1000.0, 1.0), "cm": (1.0, 100.0)},
    "angle": {"deg": (1.0, 1.0), "rad": (180.0, 3.141592653589793)},
    "time": {"s": (1.0, 1.0), "ms": (1.0, 1000.0), "min": (60.0, 1.0), "h": (3600.0, 1.0)},
    "percent": {"%": (1.0, 1.0)},
    "share": {"": (1.0, 1.0), "%": (1.0, 100.0)},
}
UNITS: tuple[str, ...] = tuple(dict.fromkeys(u for family in FAMILIES.values() for u in family if u))


def own_unit(family: str) -> str:
    """The unit that variables of a family have; empty for a share of 1."""
    return next(iter(FAMILIES[family]))


def units_of(family: str) -> tuple[str, ...]:
    """The units that may be written for a family."""
    return tuple(unit for unit in FAMILIES[family] if unit)


def converted(value: float, unit: str, family: str) -> float:
    """The value in the family's own unit.

    Raises:
        KeyError: for a unit of another family.
    """
    times, by = FAMILIES[family][unit]
    return value * times / by
