"""Claims about reading latents at stations: what was true there is noted beside them."""

from __future__ import annotations

import numpy as np

from probes.planted_models import Premises
from probes.trace import STATIONS, trace
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import load_scenario
from sim.datatypes.camera import Camera
from sim.perception.ground_truth import GroundTruth
from sim.world.context import RunContext


def noted(state: GroundTruth) -> dict[str, np.ndarray]:
    """Three things that a probe might be asked for."""
    return {
        "away": state.routes.to_junction[:, 0],
        "speed": state.ego.speed,
        "wet": state.weather[:, 1] > 20.0,
    }


def test_labels_say_what_was_true_where_the_latents_were_read() -> None:
    scenario = load_scenario("rain-turn")
    episodes = balanced_batch(scenario, range(5), "test")
    mind = Premises(scenario)
    found = trace(mind, scenario, episodes, Camera(width=32, height=20), RunContext(worlds=3, threads=1), labels=noted)
    plain = trace(mind, scenario, episodes, Camera(width=32, height=20), RunContext(worlds=3, threads=1))
    assert found.labels["away"].shape == (5, len(STATIONS)) and not plain.labels
    assert all(np.array_equal(found.latents[site], plain.latents[site]) for site in plain.latents)
    away, speed = found.labels["away"], found.labels["speed"]
    # the tick before the station is passed: less than a tick's way before it, and not behind it
    late = (-away - found.stations)[found.reached & (np.cumsum(found.reached, 1) > 1)]
    assert len(late) > 20 and (late <= 1e-3).all() and (late > -0.2 * speed.max()).all()
    rain = np.array([e.weather.precipitation > 20.0 for e in episodes])
    assert (found.labels["wet"] == rain[:, None]).all() and 0 < rain.sum() < len(rain)
