"""Redraws docs/images/twins.png and weathers.png: a pair of twins, and weathers beside the learner's view.

    python benchmarks/pictures.py
    python benchmarks/pictures.py --out /folder/for/a/look

Both are rendered from the rain-turn scenario; the same code draws the same pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from sheets import FOLDER, save

from policies.expert.expert import Expert
from scenarios.sampling.sample import sample, slots_needed, twin
from scenarios.scenario import Scenario, load_scenario
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISIONS, WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.viz.markers import boxes_of
from sim.viz.top_down import FAINT, PAPER, Line, Text, top_down, viewport_of, write
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout

SCENARIO = "rain-turn"
PLACES = (-18.0, -8.0, 1.0, 7.0)  # [m] from where the junction begins
FRAME = Camera(width=320, height=200)
TWINS_SEED, SHEET_SEED = 56, 7
VIEW = Camera(width=640, height=360, fov=90.0)
SHOWN = (352, 198)  # size on the sheet of a picture drawn at VIEW's [px]: averaged down, so that the file stays small
EYE, ENLARGED = Camera(), 3
GAP, EDGE = 6, 14  # between pictures, around the page [px]
LIGHTS = {"day": 45.0, "dusk": 1.0, "night": -12.0}  # altitude of the sun [deg]
CLEAR = {"cloudiness": 25.0, "fog_density": 2.0}
WEATHERS: dict[str, dict[str, float]] = {
    "dry": {},
    "rain": {"precipitation": 85.0, "wetness": 85.0, "precipitation_deposits": 60.0, "cloudiness": 80.0},
    "fog": {"fog_density": 65.0, "cloudiness": 60.0},
}


# ----------------------------------------------------------------------------------------------------- the twins
def twins(scenario: Scenario) -> np.ndarray:
    """The expert in one world, dry and in rain: frames along the route and the path from above, a row each."""
    names = scenario.proposition_names
    cell = tuple(name == "oncoming" for name in names)
    dry = sample(scenario, TWINS_SEED, "every", cell)
    episodes = (dry, twin(scenario, dry, "raining"))
    backend = EmbeddedWorld(len(episodes), FRAME, slots_needed(scenario))
    seen: list[World] = []
    driven = rollout(backend, Expert.of(scenario), episodes, lambda tick, running: seen.append(backend.world.copy()))
    rows = []
    for w, episode in enumerate(episodes):
        frames = [render(backend.maps.arrays, _row(_at(seen, backend, w, place), w), FRAME)[0] for place in PLACES]
        rows.append([*frames, _above(backend, seen, w, episode, int(driven.ticks[w]))])
    head, label = 48, 26
    height = FRAME.height
    wide = EDGE * 2 + sum(f.shape[1] for f in rows[0]) + GAP * len(PLACES)
    page = np.full((head + 2 * (label + height) + 22 + EDGE, wide, 3), PAPER, np.uint8)
    texts = [
        Text(f"{scenario.name}: {scenario.rule}", EDGE, 32, 19, bold=True),
        Text("one world twice; only the rain differs, and the expert obeys its rule", wide - EDGE, 32, 14, FAINT,
             anchor="rs"),
    ]  # fmt: skip
    for w, frames in enumerate(rows):
        top, x = head + w * (label + height), EDGE
        raining = episodes[w].weather.precipitation > 20
        took = DECISIONS[int(driven.shown_decision[w])]
        texts.append(Text(f"{'raining' if raining else 'not raining'}: it turns {took}", EDGE, top + 18, 14, bold=True))
        for frame in frames:
            page[top + label : top + label + height, x : x + frame.shape[1]] = frame
            x += frame.shape[1] + GAP
    below = head + 2 * (label + height) + 17
    for i, place in enumerate(PLACES):
        where = f"{abs(place):.0f} m {'before' if place < 0 else 'into'} the junction"
        texts.append(Text(where, EDGE + i * (FRAME.width + GAP) + FRAME.width / 2, below, 13, FAINT, anchor="ms"))
    texts.append(Text("from above", wide - EDGE - rows[0][-1].shape[1] / 2, below, 13, FAINT, anchor="ms"))
    return write(page, texts)


def _at(seen: Sequence[World], backend: EmbeddedWorld, w: int, place: float) -> World:
    """The first of the worlds in which ego has come `place` [m] along the route that it takes."""
    bank, shown_decision = backend.maps.arrays, int(backend.world.shown_decision[w])
    for world in seen:
        for r, q in enumerate(world.route[w]):
            on_its_way = q >= 0 and int(bank.decision[q]) == shown_decision
            if on_its_way and world.route_s[w, r] - bank.junction_in[q] >= place:
                return world
    raise ValueError(f"world {w} never came {place} m from the junction")


def _row(world: World, w: int) -> World:
    return World(*(a[w : w + 1] for a in world))


def _above(backend: EmbeddedWorld, seen: Sequence[World], w: int, episode: Episode, ticks: int) -> np.ndarray:
    """The path that ego took, and the vehicles at the time of the second frame."""
    shown = _at(seen, backend, w, PLACES[1])
    path = np.array([[world.x[w, 0], world.y[w, 0]] for world in seen[:ticks]])
    window = viewport_of(backend.maps.arrays, seen[0], w, episode, (FRAME.height, FRAME.height))
    wet = float(shown.weather[w, WEATHER_INDEX["wetness"]]) / 100
    return top_down(backend.maps.maps[int(shown.map[w])], window, boxes_of(shown, w), [Line(path)], wet)


# -------------------------------------------------------------------------------------------------- the weathers
def weathers(scenario: Scenario) -> np.ndarray:
    """One place in every light and weather: large, and as the learner sees it."""
    names = scenario.proposition_names
    base = sample(scenario, SHEET_SEED, "every", tuple(name == "oncoming" for name in names))
    episodes = [
        replace(base, weather=replace(base.weather, **{**CLEAR, **weather, "sun_altitude_angle": sun}))
        for sun in LIGHTS.values()
        for weather in WEATHERS.values()
    ]
    backend = EmbeddedWorld(len(episodes), EYE, slots_needed(scenario))
    backend.reset(episodes)
    large = render(backend.maps.arrays, backend.world, VIEW)
    small = backend.observe().camera
    left, head, label = 118, 44, 24
    eye = (EYE.width * ENLARGED, EYE.height * ENLARGED)
    tall = SHOWN[1] + GAP + eye[1]
    page = np.full((head + label + len(LIGHTS) * (tall + EDGE), left + len(WEATHERS) * (SHOWN[0] + EDGE), 3), PAPER,
                   np.uint8)  # fmt: skip
    texts = [Text("one place and one moment in nine weathers", EDGE, 30, 19, bold=True)]
    for i, light in enumerate(LIGHTS):
        top = head + label + i * (tall + EDGE)
        texts += [
            Text(light, EDGE, top + 18, 15, bold=True),
            Text("drawn at", EDGE, top + 40, 12, FAINT),
            Text(f"{VIEW.width} × {VIEW.height}", EDGE, top + 56, 12, FAINT),
            Text("what the", EDGE, top + SHOWN[1] + GAP + 16, 12, FAINT),
            Text("learner sees,", EDGE, top + SHOWN[1] + GAP + 32, 12, FAINT),
            Text(f"{EYE.width} × {EYE.height}", EDGE, top + SHOWN[1] + GAP + 48, 12, FAINT),
        ]
        for j, weather in enumerate(WEATHERS):
            x, k = left + j * (SHOWN[0] + EDGE), i * len(WEATHERS) + j
            page[top : top + SHOWN[1], x : x + SHOWN[0]] = cv2.resize(large[k], SHOWN, interpolation=cv2.INTER_AREA)
            y, inset = top + SHOWN[1] + GAP, x + (SHOWN[0] - eye[0]) // 2
            page[y : y + eye[1], inset : inset + eye[0]] = cv2.resize(small[k], eye, interpolation=cv2.INTER_NEAREST)
            if i == 0:
                texts.append(Text(weather, x + SHOWN[0] / 2, head + 15, 15, bold=True, anchor="ms"))
    return write(page, texts)


# ----------------------------------------------------------------------------------------------------- the files
PICTURES: dict[str, Callable[[Scenario], np.ndarray]] = {"twins.png": twins, "weathers.png": weathers}


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the pictures are written to")
    options = parser.parse_args()
    scenario = load_scenario(SCENARIO)
    for name, draw in PICTURES.items():
        save(draw(scenario), options.out / name, mask=0xFE)


if __name__ == "__main__":
    main()
