"""Variables of signs and boards: `signs.<name>.text`, and the functions `sign`, `reading` and `number`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scenarios.rules.variables.base import (
    READ,
    READABLE_NOW,
    Approach,
    Boards,
    Family,
    Layout,
    Lookup,
    Scene,
    family,
    variable,
)
from scenarios.rules.variables.words import number_in, text_equals, text_variables
from sim.actors.signs import SIGN, WEARS, visible_text
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.world_state import World

READABLE = (5.0, 10.0)  # [m] from the camera to a board's post, along the road, between which it is readable
ASIDE = 1.0  # greatest ratio of side to forward distance of a post within the camera's image
_SHOWING = ("present", "kind")
_PLACING = ("arm", "distance")
_BOARD = {"present": True, "kind": "text"}


def _drawn(episode: Episode, rest: str) -> Any:
    name, _, attribute = rest.partition(".")
    sign = next((s for s in episode.signs if s.name == name), None)
    if sign is None:
        raise ValueError(f"the episode has no sign '{name}'; it has {[s.name for s in episode.signs]}")
    return getattr(sign, attribute)


SIGNS = family(
    Family(
        "signs",
        "a sign or a board beside the road",
        order=20,
        drawn=_drawn,
        names=lambda actors, signs, traffic: signs,
        present={"present": True},
        visible=True,
        showing=_SHOWING,
        placing=_PLACING,
    )
)


# ------------------------------------------------------------------------------------------ what a sign looks like
def _of_design(attribute: str, absent: Any) -> Callable[[Scene, str], np.ndarray]:
    return lambda scene, name: on_sign(scene.world, scene.sign(name), attribute, absent)


def on_sign(world: World, slot: int, attribute: str, absent: Any) -> np.ndarray:
    """An attribute of the signs in a slot: (B,)."""
    looks, row = np.unique(np.where(world.kind[:, slot] == SIGN, world.appearance[:, slot], -1), return_inverse=True)
    found = []
    for look in looks.tolist():
        if look < 0:
            found.append(absent)
        else:
            design, wear = visible_text(look)
            found.append(wear if attribute == "weathering" else getattr(design, attribute))
    return np.array(found)[row]


variable(
    SIGNS, "signs.<name>.present", "whether the sign is in the world", "truth",
    lambda scene, name: scene.world.kind[:, scene.sign(name)] != 0, present={},
)  # fmt: skip
variable(
    SIGNS, "signs.<name>.text", "the words on a board", "words", _of_design("text", ""), absent="", present=_BOARD,
    known_by=READ,
)  # fmt: skip
variable(
    SIGNS, "signs.<name>.kind", '"text" for a board, else "stop", "speed_30" and so on', "words",
    _of_design("kind", "none"), absent="none", known_by=READ,
)  # fmt: skip
variable(
    SIGNS, "signs.<name>.weathering", f"0 (new) to 1, as painted: in steps of 1/{WEARS}", "number",
    _of_design("weathering", 0.0), unit="share", absent=0.0, known_by=READ,
    in_draw=lambda variable, drawn: np.round(drawn(variable) * WEARS) / WEARS,
)  # fmt: skip


# ----------------------------------------------------------------------------------- words that can be read on the way
def readable_on(world: World, slot: int) -> np.ndarray:
    """Whether the sign in a slot is near enough ahead of ego, and faces it, so that its words are readable: (B,) bool.

    A sign faces along its yaw; the camera is that of `sim.datatypes.camera.Camera` on a car that drives towards the
    sign.
    """
    cosine, sine = np.cos(world.yaw[:, slot]), np.sin(world.yaw[:, slot])
    mount = Camera.forward
    dx = world.x[:, 0] + mount * np.cos(world.yaw[:, 0]) - world.x[:, slot]
    dy = world.y[:, 0] + mount * np.sin(world.yaw[:, 0]) - world.y[:, slot]
    ahead, aside = dx * cosine + dy * sine, dy * cosine - dx * sine
    towards = np.cos(world.yaw[:, 0] - world.yaw[:, slot]) < -0.5
    near = (ahead >= READABLE[0]) & (ahead <= READABLE[1]) & (np.abs(aside) <= ASIDE * ahead)
    return np.asarray(near & towards & (world.kind[:, slot] == SIGN))


def _function(function: str, doc: str, type: str, says: Callable[[str, str], Any], nothing: Any) -> None:
    """Declare a function of the words on a board that can be read now.

    Args:
        says: (text of a board, words) -> the value; nothing: the value where no board can be read.
    """

    def in_worlds(scene: Scene, words: str) -> np.ndarray:
        world = scene.world
        found = np.full(len(world.tick), nothing)
        first = 1 + len(scene.actors)
        for slot in range(first, min(first + len(scene.signs), world.kind.shape[1])):
            near = readable_on(world, slot)
            if scene.seen is not None:
                near &= scene.seen[:, slot - 1]
            if near.any():
                said = text_variables(on_sign(world, slot, "text", ""), lambda text: says(text, words))
                found = np.where(near & (found == 0), said, found)
        return found

    def in_draw(variable: str, drawn: Lookup) -> Any:
        raise ValueError(f"{variable} has a value during the approach, not at the decision; use the timeline")

    def on_approach(approach: Approach, words: str) -> np.ndarray:
        found = np.full(approach.left.shape, nothing)
        for sign in approach.layout.boards(words):
            text, present, kind, arm, distance = (
                approach.drawn[f"signs.{sign}.{k}"] for k in ("text", *_SHOWING, *_PLACING)
            )
            said = text_variables(text, lambda t: says(t, words))
            ahead = approach.left - Camera.forward - distance
            near = (ahead >= READABLE[0]) & (ahead <= READABLE[1])
            near &= present.astype(bool) & (kind == "text") & (arm == approach.drawn["ego.start"])
            found = np.where(near & (found == 0), said, found)
        return found

    def reads(words: str, boards: Boards) -> tuple[str, ...]:
        return tuple(f"signs.{sign}.text" for sign in boards.boards(words))

    def reads_on_approach(words: str, layout: Layout) -> tuple[str, ...]:
        signs = layout.boards(words)
        return ("ego.start", *(f"signs.{s}.{k}" for s in signs for k in ("text", *_SHOWING, *_PLACING)))

    variable(
        SIGNS, f'{function}("<words>")', doc, type, in_worlds, present={}, in_draw=in_draw, on_approach=on_approach,
        reads=reads, reads_on_approach=reads_on_approach, function=function, known_by=READABLE_NOW,
    )  # fmt: skip


_function("sign", "whether ego can read a board with these words now", "truth", text_equals, False)
_function(
    "reading", "the whole number behind that word on a board that ego can read now, 0 where there is none", "number",
    number_in, 0,
)  # fmt: skip


# ------------------------------------------------------------------------------------------ numbers on a board
def _number_in_draw(variable: str, drawn: Lookup) -> Any:
    text = drawn(f"{variable.removeprefix('number(').removesuffix(')')}.text")
    return text_variables(text, number_in)


variable(
    SIGNS, "number(signs.<name>)", "the first whole number in the words on a board, 0 where there is none", "number",
    lambda scene, name: np.asarray(text_variables(on_sign(scene.world, scene.sign(name), "text", ""), number_in)),
    absent=0, present=_BOARD, in_draw=_number_in_draw, reads=lambda name, boards: (f"signs.{name}.text",),
    function="number", known_by=READ,
)  # fmt: skip
