"""Draws docs/images/state-seen.png: which actors are visible and which occluded, in the ground truth.

python benchmarks/state.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from sheets import FOLDER, save
from traffic import EYE, STREET, in_rows, scene

from sim.actors.registry import KINDS
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, Script
from sim.viz.markers import Box
from sim.viz.top_down import Line, background, top_down
from sim.viz.viewport import Viewport

SEEN, HIDDEN, OURS = (30, 136, 94), (206, 60, 60), (238, 84, 44)
MOMENTS = (0.0, 1.2, 1.7)  # [s]
SPAN, SIDE = 34.0, 384  # [m], [px]
PUSH = Action(np.zeros(1, np.float32), np.zeros(1, np.float32))


def drawn() -> np.ndarray:
    """A pedestrian occluded by a van, in the ground truth: from above, and in ego's picture."""
    actors = (
        ActorSpec("child", "walker", 0xD82C3C, distance=9.0, side=3.9, script=Script(((0.0, 8.0),), 2.2, within=21.0)),
        ActorSpec("van", "van", 0xE4E4E0, distance=14.5, side=2.9),
        ActorSpec("oncoming", "car", 0x24509C, lane="outbound", distance=5.0, speed=5.0),
    )
    backend = scene(STREET, 2, 30.0, 7.0, actors=actors)
    above, ahead, tick = [], [], 0
    for moment in MOMENTS:
        while tick < round(moment / backend.simulation.tick):
            backend.step(PUSH)
            tick += 1
        world, state = backend.world, backend.state()
        c, s = np.cos(world.yaw[0, 0]), np.sin(world.yaw[0, 0])
        centre = (float(world.x[0, 0]) + 12.0 * c, float(world.y[0, 0]) + 12.0 * s)
        window = Viewport(centre, SPAN, SIDE, SIDE, float(world.yaw[0, 0]))
        eye = np.array([world.x[0, 0] + c * EYE.forward, world.y[0, 0] + s * EYE.forward])
        boxes, lines = [_box(world, 0, OURS)], []
        told = state.actors
        for i in np.flatnonzero(told.valid[0]):
            colour = SEEN if told.visible[0, i] else HIDDEN
            x, y = told.x[0, i], told.y[0, i]
            there = np.array([world.x[0, 0] + c * x - s * y, world.y[0, 0] + s * x + c * y])
            boxes.append(_box(world, int(i) + 1, colour))
            lines.append(Line(np.stack([eye, there]), colour))
        base = background(backend.maps.maps[0], window)
        base = cv2.addWeighted(base, 0.5, np.full_like(base, 248), 0.5, 0.0)
        seen = int(told.visible[0].sum())
        words = f"{moment:g} s: {seen} of {int(told.valid[0].sum())} others in sight"
        above.append((words, top_down(backend.maps.maps[0], window, boxes, lines, base=base)))
        picture = backend.observe().camera[0]
        wide = cv2.resize(picture, (SIDE, SIDE * picture.shape[0] // picture.shape[1]), interpolation=cv2.INTER_NEAREST)
        ahead.append(np.pad(wide, ((0, SIDE - len(wide)), (0, 0), (0, 0)), constant_values=250))
    shown = above + [("what the camera shows then" if k == 0 else "", p) for k, p in enumerate(ahead)]
    sheet = in_rows("Who is in sight", "green: seen; red: hidden behind a body; lines from ego's camera", shown, 3)
    return sheet[: len(sheet) - SIDE + SIDE * EYE.height // EYE.width]


def _box(world, i: int, colour: tuple[int, int, int]) -> Box:  # type: ignore[no-untyped-def]
    yaw = float(world.yaw[0, i])
    middle = float(world.length[0, i]) / 2 - float(world.overhang[0, i])
    x, y = float(world.x[0, i]) + middle * np.cos(yaw), float(world.y[0, i]) + middle * np.sin(yaw)
    size = float(world.length[0, i]), float(world.width[0, i])
    return Box(float(x), float(y), yaw, *size, colour, i == 0, KINDS[world.kind[0, i]])


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the picture is written to")
    save(drawn(), parser.parse_args().out / "state-seen.png")


if __name__ == "__main__":
    main()
