"""The loader: every tick is met, windows say the truth, and a map that changed is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dagger.loader as loader_module
from dagger.collect import collect
from dagger.demonstrations import Demonstration, DemonstrationStore
from dagger.loader import RenderingLoader
from dagger.schedule import BetaSchedule
from policies.expert import Fixed
from sim.config import ActorSpec, Camera, Episode, MapSpec, Script, SignSpec, TrafficSpec
from sim.marks import lamps_of
from sim.rollout import rollout
from tests.worlds import ONCOMING, PARKED, SMALL, episode, started


@pytest.fixture(scope="module")
def demonstrations() -> list[Demonstration]:
    episodes = [
        episode(1, time_limit=1.3),
        episode(2, time_limit=4.0, actors=(PARKED, ONCOMING)),
        episode(3, time_limit=0.5),
    ]
    return collect(
        started(episodes),
        Fixed("left"),
        None,
        episodes,
        BetaSchedule(),
        0,
        "expert",
    )


@pytest.fixture
def loader(demonstrations: list[Demonstration]) -> RenderingLoader:
    return RenderingLoader(demonstrations, SMALL)


def test_every_tick_is_met_in_every_pass(loader: RenderingLoader) -> None:
    assert loader.lengths.tolist() == [13, 40, 5] and loader.frames == 58
    phases = set()
    for seed in range(20):
        episode_, start = loader.windows(8, np.random.default_rng(seed))
        met = {(int(e), int(t)) for e, s in zip(episode_, start) for t in range(s, s + 8) if t < loader.lengths[e]}
        assert met == {(e, t) for e, ticks in enumerate((13, 40, 5)) for t in range(ticks)}
        assert len(start) <= sum(-(-int(n) // 8) + 1 for n in loader.lengths)
        phases |= {int(s) % 8 for e, s in zip(episode_, start) if e == 1 and s > 0}
    assert len(phases) == 8, "windows always begin at the same ticks"


def test_a_window_holds_the_states_and_labels_of_its_ticks(
    loader: RenderingLoader, demonstrations: list[Demonstration]
) -> None:
    batch = loader.batch(np.array([1, 0]), np.array([30, 2]), 12)
    assert batch.camera.shape == (2, 12, 32, 48, 3) and batch.camera.dtype == np.uint8
    d = demonstrations[1]
    np.testing.assert_array_equal(batch.speed[0, :10], d.moving["speed"][30:, 0])
    np.testing.assert_array_equal(batch.steer[0, :10], d.ticks["expert_steer"][30:])
    np.testing.assert_array_equal(batch.acceleration[1, :11], demonstrations[0].ticks["expert_acceleration"][2:])
    assert batch.valid[0].tolist() == [True] * 10 + [False] * 2, "ticks after the end count"
    assert batch.valid[1].tolist() == [True] * 11 + [False]


def test_invalid_labels_are_masked(demonstrations: list[Demonstration]) -> None:
    valid = demonstrations[0].ticks["valid"].copy()
    valid[4:6] = False
    changed = replace(demonstrations[0], ticks={**demonstrations[0].ticks, "valid": valid})
    batch = RenderingLoader([changed], SMALL).batch(np.array([0]), np.array([3]), 4)
    assert batch.valid[0].tolist() == [True, False, False, True]


def test_a_kept_frame_is_the_drawn_one_also_when_asked_for_twice_at_once(demonstrations: list[Demonstration]) -> None:
    drawing, keeping = RenderingLoader(demonstrations, SMALL), RenderingLoader(demonstrations, SMALL, cache_bytes=10**9)
    episode_, tick = np.array([0, 1, 1, 0, 1]), np.array([3, 9, 9, 12, 8])
    first = keeping.draw(episode_, tick)
    assert first.tobytes() == drawing.draw(episode_, tick).tobytes()
    assert keeping.draw(episode_, tick).tobytes() == first.tobytes()
    assert (first[1] == first[2]).all() and (first[1] != first[4]).any()


def test_a_loader_of_more_goes_on_with_what_one_of_fewer_has_drawn(
    demonstrations: list[Demonstration], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RenderingLoader(demonstrations[:1], SMALL, cache_bytes=10**9)
    first.draw(np.zeros(4, int), np.arange(4))
    longer = RenderingLoader(demonstrations, SMALL, cache_bytes=10**9, before=first)
    drawn: list[int] = []
    original = loader_module.render
    monkeypatch.setattr(loader_module, "render", lambda maps, world, *a, **k: drawn.append(len(world.x)) or original(
        maps, world, *a, **k))  # fmt: skip
    episode_, tick = np.array([0, 1, 0, 1, 0]), np.array([3, 3, 2, 9, 7])
    found = longer.draw(episode_, tick)
    assert drawn == [3], "two of the five were there"
    assert found.tobytes() == RenderingLoader(demonstrations, SMALL).draw(episode_, tick).tobytes()
    with pytest.raises(ValueError, match="other demonstrations"):
        RenderingLoader(demonstrations[1:], SMALL, before=first)


def test_frames_are_kept_only_when_all_of_them_fit(demonstrations: list[Demonstration]) -> None:
    need = 58 * 32 * 48 * 3
    assert RenderingLoader(demonstrations, SMALL, cache_bytes=need)._cache is not None
    assert RenderingLoader(demonstrations, SMALL, cache_bytes=need - 1)._cache is None


def test_any_other_camera_may_look(demonstrations: list[Demonstration]) -> None:
    loader = RenderingLoader(demonstrations, Camera(width=64, height=40, yaw=20.0))
    assert loader.draw(np.array([0]), np.array([0])).shape == (1, 40, 64, 3)


def test_a_pass_gives_every_window_once_in_an_order_of_its_own_seed(loader: RenderingLoader) -> None:
    def speeds(seed: int) -> list[bytes]:
        return [w.tobytes() for b in loader.epoch(8, 3, np.random.default_rng(seed)) for w in b.camera]

    first = speeds(1)
    assert first == speeds(1)
    assert first != speeds(2)
    expected = loader.windows(8, np.random.default_rng(1))
    assert len(first) == len(expected[0])
    alone = loader.batch(expected[0][:1], expected[1][:1], 8)
    assert first[0] == alone.camera[0].tobytes()


def test_a_map_that_compiles_differently_now_is_refused(demonstrations: list[Demonstration]) -> None:
    with pytest.raises(ValueError, match="demonstration 1 was recorded on map 000000000000"):
        RenderingLoader([demonstrations[0], replace(demonstrations[1], map_sha256="0" * 64)], SMALL)


def test_no_demonstrations_are_refused() -> None:
    with pytest.raises(ValueError, match="no demonstrations"):
        RenderingLoader([], SMALL)


def busy(seed: int, vehicles: int) -> Episode:
    """A crossing with lights, drivers, walkers, a board and a child that runs out; ego comes along."""
    child = ActorSpec("child", "walker", 0xC83848, distance=6.0, side=4.5,
                      script=Script(((0.0, 4.0), (0.0, 8.0)), 1.5, within=20.0))  # fmt: skip
    return Episode(
        "busy", seed, MapSpec("crossroads_lights", kind="x"), distance=26.0, speed=6.0, actors=(child,),
        signs=(SignSpec("board", text="SCHOOL", distance=14.0),), time_limit=6.0,
        traffic=TrafficSpec(vehicles=vehicles, walkers=3),
    )  # fmt: skip


def test_traffic_lights_walkers_and_scripts_are_redrawn_to_the_byte(tmp_path: Path) -> None:
    """Episodes with more traffic and with less are stored apart, so that their actor axes differ, and read as one."""
    store, frames, colours = DemonstrationStore(tmp_path), [], set()
    for number, vehicles in enumerate((6, 3)):
        episodes = [busy(seed, vehicles) for seed in (1, 2, 3)]
        backend = started(episodes)
        found = collect(backend, Fixed("left"), None, episodes, BetaSchedule(), 0, "expert")
        backend.reset(episodes)
        pictures = [backend.observe().camera]

        def watch(tick: int, running: np.ndarray, backend=backend, pictures=pictures) -> None:
            pictures.append(backend.observe().camera)
            colours.add(tuple(lamp.state for lamp in lamps_of(backend.maps.arrays, backend.world, 0)))

        rollout(backend, Fixed("left"), episodes, watch)
        store.append(found, f"part-{number}")
        frames += [[picture[w] for picture in pictures] for w in range(3)]
    read = store.read()
    assert [d.moving["x"].shape[1] for d in read] == [12] * 3 + [9] * 3
    assert len(colours) > 1, "no light ever changed: it was no test"
    assert any((d.moving["speed"][:, 1] > 0).any() for d in read), "the child never ran"
    loader = RenderingLoader(read, SMALL)
    for w, d in enumerate(read):
        ticks = np.arange(len(d))
        for tick, picture in zip(ticks, loader.draw(np.full(len(d), w), ticks)):
            assert picture.tobytes() == frames[w][tick].tobytes(), f"episode {w}, tick {tick}"
