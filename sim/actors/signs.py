"""Signs: their kinds, what is written on them, and how they are packed into a number."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sim.datatypes.vocabulary import KINDS

SIGN = len(KINDS)  # the kind of a slot that holds a sign: beyond all kinds of vehicles and scenery
POST = 0.09  # side of a post [m]; also the box that one can run into
DESIGNS: dict[int, SignDesign] = {}  # number -> what it stands for


def pack_sign(face: SignDesign, wear: float) -> int:
    """The number that stands for a face and its wear in a world's `appearance`; `SignAtlas` finds the face by it.

    Raises:
        ValueError: for two faces that share a number, about once in a million pairs of a hundred million.
    """
    number = int.from_bytes(hashlib.sha256(repr(tuple(face)).encode()).digest()[:4], "little") >> 5
    if DESIGNS.setdefault(number, face) != face:
        raise ValueError(f"the signs {DESIGNS[number]} and {face} share the number {number}; change a word of one")
    return number << 4 | round(wear * WEARS)


def visible_text(appearance: int) -> tuple[SignDesign, float]:
    """The face and the wear, in steps of 1 / WEARS, that a appearance stands for.

    Raises:
        ValueError: for a sign that no backend of this process has placed.
    """
    if appearance >> 4 not in DESIGNS:
        raise ValueError(
            f"a world shows sign {appearance >> 4}, which nobody placed here; reset a backend to its episode first"
        )
    return DESIGNS[appearance >> 4], (appearance & WEARS) / WEARS


SPEEDS: tuple[int, ...] = (20, 30, 40, 50, 60, 70, 80, 90, 100, 120)
SIGN_KINDS: tuple[str, ...] = ("text", "stop", "yield", *(f"speed_{v}" for v in SPEEDS))
# Width and height of a panel, and how high its lower edge hangs [m].
PANELS: dict[str, tuple[float, float, float]] = {
    "text": (2.8, 1.6, 1.1), "stop": (0.9, 0.9, 1.7), "yield": (1.0, 0.88, 1.7), "speed": (0.9, 0.9, 1.7),
}  # fmt: skip
LINES = 4  # at most, on a board
WEARS = 15  # steps of wear from new to worn out


class SignDesign(NamedTuple):
    """What is painted on a sign, apart from wear. Traffic signs leave text, colour and font empty."""

    kind: str
    text: str = ""
    colour: str = ""
    font: str = ""

    @property
    def panel(self) -> tuple[float, float, float]:
        """Width and height of the panel, and how high its lower edge hangs [m]."""
        return PANELS[self.kind.partition("_")[0]]
