"""Draws the pictures of docs/reference/weather.md: one place in many weathers, and an episode that turns rainy.

    python benchmarks/weathers.py
    python benchmarks/weathers.py --out /folder/for/a/look

The same code draws the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from sheets import draw_all

from policies.expert.expert import Expert
from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import from_text, load_scenario
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.viz.top_down import FAINT, PAPER, Text, write
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import rollout

VIEW = Camera(width=640, height=360, fov=90.0)
SHOWN = (352, 198)  # [px] a picture drawn at VIEW's size is averaged down to this, so that the file stays small
GAP, EDGE = 8, 14  # between pictures, around the page [px]
PLACE = ("rain-turn", 7)  # scenario and seed
CALM = {"cloudiness": 15.0, "fog_density": 2.0, "sun_altitude_angle": 40.0, "sun_azimuth_angle": 130.0}
# Ego drives north. The azimuth is CARLA's, clockwise from east: 0 is on ego's right, 180 on its left, 270 before it.
RAIN = {"precipitation": 90.0, "wetness": 90.0, "precipitation_deposits": 70.0, "cloudiness": 95.0}
WEATHERS: dict[str, dict[str, float]] = {
    "noon": {"sun_altitude_angle": 70.0},
    "morning": {"sun_altitude_angle": 40.0, "cloudiness": 15.0},
    "cloudy": {"cloudiness": 90.0},
    "low sun on the right": {"sun_altitude_angle": 15.0, "sun_azimuth_angle": 0.0},
    "low sun behind": {"sun_altitude_angle": 15.0, "sun_azimuth_angle": 90.0},
    "low sun on the left": {"sun_altitude_angle": 15.0, "sun_azimuth_angle": 180.0},
    "low sun ahead": {"sun_altitude_angle": 15.0, "sun_azimuth_angle": 270.0},
    "dusk": {"sun_altitude_angle": 1.0, "sun_azimuth_angle": 270.0, "cloudiness": 35.0},
    "light rain": {"precipitation": 25.0, "wetness": 25.0, "cloudiness": 70.0},
    "heavy rain": RAIN,
    "heavy rain in a storm": {"wind_intensity": 100.0, **RAIN},
    "wet after rain": {"wetness": 80.0, "cloudiness": 40.0},
    "puddles": {"wetness": 40.0, "precipitation_deposits": 50.0, "cloudiness": 40.0},
    "after a downpour": {"wetness": 80.0, "precipitation_deposits": 100.0, "cloudiness": 40.0},
    "light fog": {"fog_density": 20.0, "cloudiness": 50.0},
    "dense fog": {"fog_density": 75.0, "cloudiness": 60.0},
    "night, by headlights": {"sun_altitude_angle": -14.0},
    "rain at night": {"sun_altitude_angle": -14.0, **RAIN},
    "dust in the air": {"dust_storm": 25.0, "wind_intensity": 40.0},
    "dust storm": {"dust_storm": 80.0, "wind_intensity": 90.0},
    "dust storm at night": {"dust_storm": 80.0, "wind_intensity": 90.0, "sun_altitude_angle": -14.0},
}
COLUMNS = 3
SHORT = {
    "cloudiness": "clouds", "precipitation": "rain", "precipitation_deposits": "deposits", "wind_intensity": "wind",
    "sun_altitude_angle": "sun", "sun_azimuth_angle": "azimuth", "fog_density": "fog", "dust_storm": "dust",
}  # fmt: skip

RAIN_SETS_IN = """
name: rain-sets-in
map: {generate: t_junction, arm: 60}
ego: {start: south, speed: 5, distance: 44}
weather: {precipitation: 0, cloudiness: 20, sun_altitude_angle: 35, sun_azimuth_angle: 130}
changes:
  - {name: clouds, after: 0.5, over: 2.5, cloudiness: 95, wind_intensity: 60}
  - {name: rain, after: 2, over: 3, precipitation: 90, wetness: 90, precipitation_deposits: 70}
propositions: {raining: weather.precipitation > 20}
rule: left if raining else right
"""
MOMENTS = (0.0, 2.0, 3.0, 4.0, 5.0, 7.0)  # [s]


def every() -> np.ndarray:
    """One place and one moment in every weather, with the numbers that make it."""
    scenario = load_scenario(PLACE[0])
    base = sample(scenario, PLACE[1], "every", tuple(name == "oncoming" for name in scenario.proposition_names))
    episodes = [replace(base, weather=replace(base.weather, **{**CALM, **w})) for w in WEATHERS.values()]
    backend = EmbeddedWorld(len(episodes), VIEW, slots_needed(scenario))
    backend.reset(episodes)
    told = [_numbers(w) for w in WEATHERS.values()]
    pictures = list(render(backend.maps.arrays, backend.world, VIEW))
    note = "percent; the sun in degrees, its azimuth clockwise from east; the camera looks north"
    return _page("One place and one moment in every weather", note, pictures, list(zip(WEATHERS, told)))


def change() -> np.ndarray:
    """One episode from a dry start into heavy rain, as the expert drives it."""
    scenario = from_text(RAIN_SETS_IN)
    backend = EmbeddedWorld(1, VIEW, slots_needed(scenario))
    seen: list[World] = []
    episode = sample(scenario, 3)
    backend.reset([episode])
    seen.append(backend.world.copy())
    rollout(backend, Expert.of(scenario), [episode], lambda tick, running: seen.append(backend.world.copy()))
    pictures, told = [], []
    for seconds in MOMENTS:
        world = seen[round(seconds / backend.simulation.tick)]
        pictures.append(render(backend.maps.arrays, world, VIEW)[0])
        fields = ("cloudiness", "precipitation", "wetness", "precipitation_deposits")
        told.append((f"{seconds:g} s", _numbers({f: float(world.weather[0, WEATHER_INDEX[f]]) for f in fields})))
    note = "clouds close from 0.5 to 3 s, rain grows from 2 to 5 s; the expert, dry at first, turns left"
    return _page("One episode: it clouds over, and rain sets in", note, pictures, told)


def _numbers(weather: dict[str, float]) -> str:
    return ", ".join(f"{SHORT.get(field, field)} {value:.0f}" for field, value in weather.items())


def _page(title: str, note: str, pictures: list[np.ndarray], told: list[tuple[str, str]]) -> np.ndarray:
    """Pictures in rows, each with a heading and its numbers above it."""
    head, label = 44, 42
    rows = -(-len(pictures) // COLUMNS)
    tall, wide = head + rows * (label + SHOWN[1] + GAP) - GAP + EDGE, 2 * EDGE + COLUMNS * (SHOWN[0] + GAP) - GAP
    page = np.full((tall, wide, 3), PAPER, np.uint8)
    texts = [Text(title, EDGE, 30, 19, bold=True), Text(note, page.shape[1] - EDGE, 30, 13, FAINT, anchor="rs")]
    for i, (picture, (name, numbers)) in enumerate(zip(pictures, told)):
        x, y = EDGE + i % COLUMNS * (SHOWN[0] + GAP), head + i // COLUMNS * (label + SHOWN[1] + GAP)
        texts.append(Text(name, x, y + 17, 14, bold=True))
        texts.append(Text(numbers, x, y + 34, 12, FAINT))
        small = cv2.resize(picture, SHOWN, interpolation=cv2.INTER_AREA)
        page[y + label : y + label + SHOWN[1], x : x + SHOWN[0]] = small
    return write(page, texts)


PICTURES: dict[str, Callable[[], np.ndarray]] = {"weather-kinds.png": every, "weather-change.png": change}


if __name__ == "__main__":
    draw_all(PICTURES, __doc__, mask=0xFE)
