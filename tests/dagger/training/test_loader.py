"""The loader: every tick is met, windows say the truth, and a map that changed is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dagger.training.loader as loader_module
from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration, DemonstrationStore
from dagger.training.loader import RenderingLoader, Windows
from policies.expert.expert import Fixed
from sim.actors.registry import KIND
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Script, SignSpec, TrafficSpec
from sim.datatypes.vocabulary import OUTCOME
from sim.render.rgb import render
from sim.viz.markers import lamps_of
from sim.world.rollout import rollout
from tests.support.worlds import ONCOMING, PARKED, SMALL, episode, started


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


def rows_of(plan: list[Windows]) -> list[tuple[int, int, int, int]]:
    """(lane, episode, start, stop) of every window of a plan."""
    return [row for w in plan for row in zip(*(a.tolist() for a in (w.lane, w.episode, w.start, w.stop)))]


def windows(episodes: list[int], starts: list[int], length: int, loader: RenderingLoader) -> Windows:
    episode_, start = np.array(episodes), np.array(starts)
    return Windows(np.arange(len(starts)), episode_, start, np.minimum(start + length, loader.lengths[episode_]))


def test_every_tick_is_met_in_every_pass(loader: RenderingLoader) -> None:
    assert loader.lengths.tolist() == [13, 40, 5] and loader.frames == 58
    phases = set()
    for seed in range(20):
        rows = rows_of(loader.plan(8, 2, np.random.default_rng(seed)))
        met = [(e, t) for _, e, start, stop in rows for t in range(start, stop)]
        assert sorted(met) == [(e, t) for e, ticks in enumerate((13, 40, 5)) for t in range(ticks)]
        assert max(stop - start for _, _, start, stop in rows) <= 8
        phases |= {start for _, e, start, _ in rows if e == 1 and 0 < start <= 8}
    assert phases == {4, 5, 6, 7, 8}, "windows always begin at the same ticks"


def test_a_lane_goes_through_its_episodes_in_order(loader: RenderingLoader) -> None:
    plan = loader.plan(8, 2, np.random.default_rng(3))
    for lane in (0, 1):
        own = [(e, start, stop) for number, e, start, stop in rows_of(plan) if number == lane]
        for (e, _, stop), (following, start, _) in itertools.pairwise(own):
            assert (following, start) == (e, stop) if stop < loader.lengths[e] else start == 0
    assert all(len(set(step.lane.tolist())) == len(step.lane) for step in plan)


def test_a_plan_of_some_episodes_meets_these_alone(loader: RenderingLoader) -> None:
    rows = rows_of(loader.plan(8, 4, np.random.default_rng(0), np.array([2, 0])))
    assert {e for _, e, _, _ in rows} == {0, 2}


def test_a_window_holds_the_states_and_labels_of_its_ticks(
    loader: RenderingLoader, demonstrations: list[Demonstration]
) -> None:
    batch = loader.batch(windows([1, 0], [30, 0], 12, loader))
    assert batch.fresh.tolist() == [False, True]
    assert batch.camera.shape == (2, 12, 32, 48, 3) and batch.camera.dtype == np.uint8
    d = demonstrations[1]
    np.testing.assert_array_equal(batch.speed[0, :10], d.moving["speed"][30:, 0])
    np.testing.assert_array_equal(batch.steer[0, :10], d.ticks["expert_steer"][30:])
    np.testing.assert_array_equal(batch.acceleration[1], demonstrations[0].ticks["expert_acceleration"][:12])
    assert batch.valid[0].tolist() == [True] * 10 + [False] * 2, "ticks after the end count"
    assert batch.valid[1].tolist() == [True] * 12


def test_invalid_labels_are_masked(demonstrations: list[Demonstration]) -> None:
    valid = demonstrations[0].ticks["valid"].copy()
    valid[4:6] = False
    changed = replace(demonstrations[0], ticks={**demonstrations[0].ticks, "valid": valid})
    loader = RenderingLoader([changed], SMALL)
    batch = loader.batch(windows([0], [3], 4, loader))
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
    original = render
    monkeypatch.setattr(loader_module, "render", lambda maps, world, *a, **k: drawn.append(len(world.x)) or original(
        maps, world, *a, **k))  # fmt: skip
    episode_, tick = np.array([0, 1, 0, 1, 0]), np.array([3, 3, 2, 9, 7])
    found = longer.draw(episode_, tick)
    assert drawn == [3], "two of the five were there"
    assert found.tobytes() == RenderingLoader(demonstrations, SMALL).draw(episode_, tick).tobytes()
    with pytest.raises(ValueError, match="other demonstrations"):
        RenderingLoader(demonstrations[1:], SMALL, before=first)


def test_as_many_frames_are_kept_as_fit_and_the_rest_is_drawn_again(
    demonstrations: list[Demonstration], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = 32 * 48 * 3
    part = RenderingLoader(demonstrations, SMALL, cache_bytes=20 * picture + 1)
    episode_, tick = np.array([0, 1, 1, 0]), np.array([3, 6, 7, 12])  # ticks 3, 19, 20 and 12 of all
    drawn: list[int] = []
    original = render
    monkeypatch.setattr(loader_module, "render", lambda maps, world, *a, **k: drawn.append(len(world.x)) or original(
        maps, world, *a, **k))  # fmt: skip
    first, second = part.draw(episode_, tick), part.draw(episode_, tick)
    assert sorted(drawn) == [1, 1, 3], "three are kept, the one behind is drawn every time"
    assert first.tobytes() == second.tobytes() == RenderingLoader(demonstrations, SMALL).draw(episode_, tick).tobytes()


def test_any_other_camera_may_look(demonstrations: list[Demonstration]) -> None:
    loader = RenderingLoader(demonstrations, Camera(width=64, height=40, yaw=20.0))
    assert loader.draw(np.array([0]), np.array([0])).shape == (1, 40, 64, 3)


def test_a_pass_gives_every_window_once_in_an_order_of_its_own_seed(loader: RenderingLoader) -> None:
    def pictures(seed: int) -> list[bytes]:
        plan = loader.plan(8, 3, np.random.default_rng(seed))
        return [w.tobytes() for b in loader.epoch(plan) for w in b.camera]

    first = pictures(1)
    assert first == pictures(1)
    assert first != pictures(2)
    expected = loader.plan(8, 3, np.random.default_rng(1))
    assert len(first) == sum(len(step.lane) for step in expected)
    assert first[0] == loader.batch(expected[0]).camera[0].tobytes()


def test_single_pictures_are_of_ticks_whose_future_is_known(demonstrations: list[Demonstration]) -> None:
    arrived = replace(demonstrations[1], outcome=OUTCOME["arrived"])
    loader = RenderingLoader([demonstrations[0], arrived], SMALL)
    rng = np.random.default_rng(0)
    frames = loader.sample(200, rng, np.array([1.0] * 5 + [0.0] * 5))
    assert frames is not None and frames.known.all() and frames.camera.shape == (200, 32, 48, 3)
    assert set(frames.phase.tolist()) == {0, 1, 2, 3, 4}
    seen = {picture.tobytes() for picture in loader.draw(np.full(20, 1), np.arange(20))}  # the first half of 40 ticks
    assert {picture.tobytes() for picture in frames.camera} <= seen
    assert loader.sample(5, rng, np.ones(10), np.array([0])) is None, "a drive that did not arrive has no future"


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
        "busy", seed, MapSpec("crossroads_lights", kind="crossroads"), distance=26.0, speed=6.0, actors=(child,),
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


def test_an_actor_that_spawns_late_is_drawn_from_then_on() -> None:
    late = ActorSpec("late", arm="west", speed=8.0, turn="right", arrival_offset=-6.0)
    episodes = [episode(1, actors=(late,), speed=2.0, time_limit=9.0)]
    backend, pictures = started(episodes), []
    made = collect(backend, Fixed("left"), None, episodes, BetaSchedule(), 0, "expert")
    loader = RenderingLoader(made, SMALL)
    kinds = made[0].moving["kind"][:, 1]
    assert kinds[0] == 0 and kinds[-1] == KIND["car"], "the actor was there from the start, or never came"
    backend.reset(episodes)
    for tick in range(len(made[0])):
        row = loader.world(np.array([0]), np.array([tick]))
        for name in ("kind", "absent_kind", "x", "appearance"):
            np.testing.assert_array_equal(getattr(row, name), getattr(backend.world, name), err_msg=f"{name}, {tick}")
        pictures.append(backend.observe().camera[0])
        backend.step(Action(made[0].ticks["executed_steer"][tick : tick + 1],
                            made[0].ticks["executed_acceleration"][tick : tick + 1]))  # fmt: skip
    ticks = np.arange(len(made[0]))
    np.testing.assert_array_equal(loader.draw(np.zeros_like(ticks), ticks), pictures)
