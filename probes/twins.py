"""Records a pair of twins for people to look at: the dry world, real rain, and the dry world with swapped latents."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from policies.sites import Sited
from probes.causes import Question, premise_subspace, sites_swapped
from probes.interventions import Factorial, Subspace, interchange
from sim.camera import render
from sim.config import Camera, Episode
from sim.draw import Window, top_down
from sim.embedded import EmbeddedWorld
from sim.road import load_map
from sim.types import World

PLACES: tuple[float, ...] = (-18.0, -12.0, -6.0, 0.0, 6.0)  # [m] from the junction at which a frame is kept
SIZE = (320, 200)  # of the frames [px]
SPAN = 60.0  # of the map picture [m]


class _Recorder:
    """Keeps what is needed of a one-world run: steering, path, a frame at every place."""

    def __init__(self) -> None:
        self.steer: list[float] = []
        self.path: list[tuple[float, float]] = []
        self.rows: list[tuple[float, World]] = []
        self.backend: EmbeddedWorld | None = None

    def __call__(self, backend: EmbeddedWorld) -> None:
        world, bank = backend.world, backend.maps.arrays
        self.backend = backend
        self.steer.append(float(world.steer[0, 0]))
        self.path.append((float(world.x[0, 0]), float(world.y[0, 0])))
        away = float(world.route_s[0, 0] - bank.junction_in[world.route[0, 0]])
        self.rows.append((away, world.copy()))

    def frames(self, camera: Camera) -> np.ndarray:
        """(K, h, w, 3): the first view at or beyond every place, the last one where a place was never reached."""
        assert self.backend is not None, "nothing was recorded"
        chosen = [next((w for away, w in self.rows if away >= place), self.rows[-1][1]) for place in PLACES]
        return np.concatenate([render(self.backend.maps.arrays, world, camera) for world in chosen])


def pick_draw(question: Question, first_seed: int) -> tuple[Episode, Episode]:
    """A daylight draw and its twin under the other value of the rule's first premise, all else as it is."""
    column = question.names.index(question.rule_names[0])
    base = tuple(False for _ in question.names)
    turned = tuple(i == column for i in range(len(question.names)))
    episodes = question.draw(first_seed)
    return episodes[question.cells.index(base)], episodes[question.cells.index(turned)]


def record_twins(
    policy: Sited, question: Question, latents: dict[str, Factorial], path: Path, seed: int
) -> dict[str, str]:
    """Drive the three runs and write them to `path` (.npz).

    Returns:
        What each of the rows shows, for captions.
    """
    premise = question.rule_names[0]
    base, twin = pick_draw(question, seed)
    swap = [premise_subspace(latents[s], question, premise) for s in sites_swapped(policy)]
    nothing = [Subspace(s.site, np.zeros_like(s.basis), "nothing") for s in swap]
    runs = {
        f"not {premise}": (base, base, nothing),
        f"{premise}, for real": (twin, twin, nothing),
        f"not {premise}, latent swapped": (base, twin, swap),
    }
    view = replace(question.camera, width=SIZE[0], height=SIZE[1])
    content: dict[str, np.ndarray] = {"labels": np.array(list(runs)), "places": np.array(PLACES, np.float32)}
    frames = []
    backend: EmbeddedWorld | None = None
    for i, (driven, source, subspaces) in enumerate(runs.values()):
        recorder = _Recorder()
        interchange(
            policy, question.scenario, [driven], [source], [subspaces], question.camera, 1, question.search, recorder
        )
        frames.append(recorder.frames(view))
        content[f"steer_{i}"] = np.array(recorder.steer, np.float32)
        content[f"xy_{i}"] = np.array(recorder.path, np.float32)
        backend = recorder.backend
    assert backend is not None
    road_map, junction = load_map(base.map, question.search)
    window = Window(junction.centre, SPAN, 480, 480, np.pi / 2)
    content["frames"] = np.stack(frames)
    content["tick"] = np.array(backend.simulation.tick, np.float32)
    content["map_picture"] = top_down(road_map, window)
    x, y = junction.centre
    content["map_extent"] = np.array([x - SPAN / 2, x + SPAN / 2, y - SPAN / 2, y + SPAN / 2], np.float32)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as stream:
        np.savez(stream, **content)  # type: ignore[arg-type]
    os.replace(temporary, path)
    return {str(label): "" for label in runs}
