"""Twin recording for reports: a world, its twin in one premise, and the world with that latent swapped."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import NotApplicable, place
from probes.interventions import Factorial, Subspace, interchange
from probes.premise_swaps import Question, premise_subspace, sites_swapped
from scenarios.rules.logic import Cell
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import DECISIONS, OUTCOME, OUTCOMES, UNDECIDED
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.road.map.loading import load_map
from sim.viz.top_down import top_down
from sim.viz.viewport import Viewport
from sim.world.backend import Backend

PLACES: tuple[float, ...] = (-18.0, -12.0, -6.0, 0.0, 6.0)  # [m] from the junction at which a frame is recorded
SIZE = (320, 200)  # of the frames [px]
SPAN, WIDEST = 60.0, 240.0  # smallest and largest width of the map picture [m]


class _Recorder:
    """Records a rollout of one world: steering, path, and the states for a frame at every place."""

    def __init__(self) -> None:
        self.steer: list[float] = []
        self.path: list[tuple[float, float]] = []
        self.rows: list[tuple[float, World]] = []
        self.backend: Backend | None = None

    def __call__(self, backend: Backend) -> None:
        world, bank = backend.world, backend.maps.arrays
        self.backend = backend
        self.steer.append(float(world.steer[0, 0]))
        self.path.append((float(world.x[0, 0]), float(world.y[0, 0])))
        away = float(world.route_s[0, 0] - bank.junction_in[world.route[0, 0]])
        self.rows.append((away, world.copy()))

    @property
    def near(self) -> list[tuple[float, float]]:
        """The path from the first of PLACES on."""
        return [xy for xy, (away, _) in zip(self.path, self.rows) if away >= PLACES[0]]

    @property
    def decided(self) -> str:
        """The decision shown if ego arrived, else the outcome."""
        world = self.rows[-1][1]
        if world.outcome[0] != OUTCOME["arrived"]:
            return OUTCOMES[int(world.outcome[0])].replace("_", " ")
        return "none" if world.shown_decision[0] == UNDECIDED else DECISIONS[int(world.shown_decision[0])]

    def frames(self, camera: Camera) -> np.ndarray:
        """(K, h, w, 3): the first view at or beyond every place, or the last view if a place was never reached."""
        assert self.backend is not None, "nothing was recorded"
        chosen = [next((w for away, w in self.rows if away >= spot), self.rows[-1][1]) for spot in PLACES]
        return np.concatenate([render(self.backend.maps.arrays, world, camera) for world in chosen])


def pick_cells(question: Question) -> tuple[str, Cell, Cell]:
    """Choose the first premise and setting where making the premise true changes the rule's decision.

    Returns:
        The premise, a setting in which it is false, and the same setting with it true.

    Raises:
        NotApplicable: if no premise alone changes the decision in any possible setting.
    """
    for premise in question.rule_names:
        column = question.names.index(premise)
        for base in question.cells:
            twin = question.crossing.partner(base, column)
            if not base[column] and twin is not None and question.decide(base) != question.decide(twin):
                return premise, base, twin
    raise NotApplicable("no twins can be made in which one premise alone changes what the rule wants")


def record_twins(
    policy: IntervenablePolicy, question: Question, latents: dict[str, Factorial], path: Path, seed: int
) -> dict[str, str]:
    """Roll out the three runs and write them to `path` (.npz).

    Returns:
        Caption of each run -> the rule's decision for it.
    """
    premise, without, having = pick_cells(question)
    episodes = question.draw(seed)
    base, twin = (episodes[question.cells.index(cell)] for cell in (without, having))
    swap = [premise_subspace(latents[s], question, premise) for s in sites_swapped(policy)]
    nothing = [Subspace(s.site, np.zeros_like(s.basis), "nothing") for s in swap]
    runs = {
        f"not {premise}": (base, base, nothing),
        f"{premise}, for real": (twin, twin, nothing),
        f"not {premise}, latent swapped": (base, twin, swap),
    }
    view = replace(question.camera, width=SIZE[0], height=SIZE[1])
    content: dict[str, np.ndarray] = {"labels": np.array(list(runs)), "places": np.array(PLACES, np.float32)}
    frames, near, decided = [], [], []
    backend: Backend | None = None
    for i, (driven, source, subspaces) in enumerate(runs.values()):
        recorder = _Recorder()
        interchange(
            policy, question.scenario, [driven], [source], [subspaces], question.camera, question.context, recorder
        )
        frames.append(recorder.frames(view))
        content[f"steer_{i}"] = np.array(recorder.steer, np.float32)
        content[f"xy_{i}"] = np.array(recorder.path, np.float32)
        near += recorder.near
        decided.append(recorder.decided)
        backend = recorder.backend
    assert backend is not None
    road_map, junction = load_map(base.map, question.context.map_search)
    x, y = junction.centre
    reach = 2.0 * float(np.abs(np.array(near or [(x, y)]) - (x, y)).max())
    span = float(np.clip(reach, SPAN, WIDEST))
    window = Viewport(junction.centre, span, 480, 480, np.pi / 2)
    wanted = [DECISIONS[question.decide(cell)] for cell in (without, having, having)]
    content |= {
        "wanted": np.array(wanted), "decided": np.array(decided), "place": np.array(place(question.scenario)),
        "given": np.array([n if v else f"not {n}" for n, v in zip(question.names, without) if n != premise], str),
    }  # fmt: skip
    content["frames"] = np.stack(frames)
    content["tick"] = np.array(backend.simulation.tick, np.float32)
    content["map_picture"] = top_down(road_map, window)
    content["map_extent"] = np.array([x - span / 2, x + span / 2, y - span / 2, y + span / 2], np.float32)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as stream:
        np.savez(stream, **content)  # type: ignore[arg-type]
    os.replace(temporary, path)
    return dict(zip(runs, wanted))
