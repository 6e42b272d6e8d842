"""The registry of kinds: it imports every file of `sim/actors/kinds`, and compiles the tables that kernels read.

A kind's number is its index in KINDS. Kernels hold a set of kinds as a bit mask, one bit a number:
`DRIVES >> kind & 1` says whether a kind is a vehicle. Kind 0 is none of them all.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping

import numpy as np

import sim.actors.kinds
from sim.actors.base import DECLARED, ActorKind, Vehicle
from sim.core.errors import known_names

for _module in sorted(m.name for m in pkgutil.iter_modules(sim.actors.kinds.__path__)):
    importlib.import_module(f"sim.actors.kinds.{_module}")

ACTOR_KINDS: Mapping[str, ActorKind] = dict(sorted(DECLARED.items(), key=lambda item: item[1].number))
KINDS: tuple[str, ...] = ("none", *ACTOR_KINDS)
if [kind.number for kind in ACTOR_KINDS.values()] != list(range(1, len(KINDS))):
    raise ValueError(
        f"the numbers of kinds are {known_names(f'{k.name} {k.number}' for k in ACTOR_KINDS.values())}; "
        "wanted 1, 2, 3 and so on without a gap"
    )
KIND: dict[str, int] = {name: i for i, name in enumerate(KINDS)}
BODIES: dict[str, Vehicle] = {kind.name: kind.body for kind in ACTOR_KINDS.values() if kind.body is not None}
VEHICLES: dict[str, Vehicle] = {name: body for name, body in BODIES.items() if ACTOR_KINDS[name].drives}
EGO = VEHICLES["car"]


def kinds_with(has: Callable[[ActorKind], bool]) -> np.int64:
    """The kinds for which `has` holds, as a bit mask."""
    return np.int64(sum(1 << kind.number for kind in ACTOR_KINDS.values() if has(kind)))


DRIVES = kinds_with(lambda kind: kind.drives)
COLLIDES = kinds_with(lambda kind: kind.collides)
STOPS_TRAFFIC = kinds_with(lambda kind: kind.stops_traffic)
WIDE_CONTACT = kinds_with(lambda kind: kind.contact_shadow == "wide")
NARROW_CONTACT = kinds_with(lambda kind: kind.contact_shadow == "narrow")
POLES = kinds_with(lambda kind: kind.shadow.pole)
# Columns of SHADOWS: a length is a share of the object's own and metres.
LENGTH, LENGTH_M, WIDTH, WIDTH_M, LOW, HIGH, UPPER_LENGTH, UPPER_LENGTH_M, UPPER_WIDTH, UPPER_WIDTH_M, BACK = range(11)
SHADOWS = np.zeros((len(KINDS), 11), np.float32)
for _kind in ACTOR_KINDS.values():
    _s = _kind.shadow
    SHADOWS[_kind.number] = *_s.length, *_s.width, _s.low, _s.high, *_s.upper_length, *_s.upper_width, _s.back
