"""Traffic signs and text boards: their kinds, their text, and their encoding as one integer."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sim.actors.registry import KIND

SIGN = KIND["sign"]  # the kind of a slot that holds a sign
POST = 0.09  # side of a post [m]; also the box that vehicles can collide with
DESIGNS: dict[int, SignDesign] = {}  # number -> the design that it encodes


def pack_sign(face: SignDesign, wear: float) -> int:
    """Encode a sign's design and wear as its `appearance` in a world; `SignAtlas` looks the design up by it.

    Raises:
        ValueError: for two designs with the same number of 27 bits, which is about one pair in 130 million.
    """
    number = int.from_bytes(hashlib.sha256(repr(tuple(face)).encode()).digest()[:4], "little") >> 5
    if DESIGNS.setdefault(number, face) != face:
        raise ValueError(f"the signs {DESIGNS[number]} and {face} share the number {number}; change a word of one")
    return number << 4 | round(wear * WEARS)


def visible_text(appearance: int) -> tuple[SignDesign, float]:
    """Decode an `appearance` to the sign's design and its wear, in steps of 1 / WEARS.

    Raises:
        ValueError: for a sign that no backend of this process has placed.
    """
    if appearance >> 4 not in DESIGNS:
        raise ValueError(
            f"a world shows sign {appearance >> 4}, which no backend placed here; reset a backend to its episode first"
        )
    return DESIGNS[appearance >> 4], (appearance & WEARS) / WEARS


SPEEDS: tuple[int, ...] = (20, 30, 40, 50, 60, 70, 80, 90, 100, 120)
SIGN_KINDS: tuple[str, ...] = ("text", "stop", "yield", *(f"speed_{v}" for v in SPEEDS))
# Width and height of a panel, and the height of its lower edge above the ground [m].
PANELS: dict[str, tuple[float, float, float]] = {
    "text": (2.8, 1.6, 1.1), "stop": (0.9, 0.9, 1.7), "yield": (1.0, 0.88, 1.7), "speed": (0.9, 0.9, 1.7),
}  # fmt: skip
LINES = 4  # most lines on a board
WEARS = 15  # steps of wear from new to worn out


class SignDesign(NamedTuple):
    """The design of a sign, without its wear. Traffic signs leave text, colour and font empty."""

    kind: str
    text: str = ""
    colour: str = ""
    font: str = ""

    @property
    def panel(self) -> tuple[float, float, float]:
        """Width and height of the panel, and the height of its lower edge above the ground [m]."""
        return PANELS[self.kind.partition("_")[0]]
