"""The initial state of worlds: placing writes new tables only, and a reset takes them over or changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sim.datatypes.episode import (
    ActorSpec,
    DecisionSpec,
    Episode,
    MapSpec,
    Script,
    SignSpec,
    TrafficSpec,
    WeatherChange,
)
from sim.datatypes.simulation import Simulation
from sim.world.conformance import actions
from sim.world.embedded import EmbeddedWorld
from sim.world.initial_state import Capacity, InitialState, locate, place
from tests.support.worlds import ONCOMING, PARKED, SMALL, episode, started

CROSSING = ActorSpec("crossing", "car", arm="west", turn="straight", speed=7.0, arrival_offset=1.0, takes_turns=True)
TAILGATER = ActorSpec("tailgater", "car", tailgates=6.0)
PEDESTRIAN = ActorSpec("pedestrian", "walker", arm="west", lane="outbound", distance=10.0, side=4.0,
                       script=Script(path=((0.0, 8.0),), speed=1.4, after=0.5))  # fmt: skip
FULL = replace(
    episode(7, actors=(CROSSING, TAILGATER, PEDESTRIAN)),
    signs=(SignSpec("sign", "stop"),), traffic=TrafficSpec(vehicles=2, walkers=0), time_limit=30.0,
    changes=(WeatherChange(0.5, 1.0, (("precipitation", 40.0),)),),
    decision_spec=DecisionSpec("slow", (), -20.0, 0.0, 3.0),
)  # fmt: skip
CROWDED = replace(FULL, traffic=TrafficSpec(vehicles=200))


def arrays(state: EmbeddedWorld | InitialState) -> Iterator[tuple[str, np.ndarray]]:
    """Every array of a state, with its name."""
    for table in (state.world, state.traffic, state.followers):
        for name, array in () if table is None else table._asdict().items():
            yield f"{type(table).__name__}.{name}", array
    yield "goal", state.goal if isinstance(state, InitialState) else state._goal


def placed(backend: EmbeddedWorld, *episodes: Episode) -> InitialState:
    """The episodes, placed with the maps and the room that the backend has."""
    places = [locate(e, backend.simulation) for e in episodes]
    return place(episodes, places, backend.maps, backend.simulation.tick, backend._capacity)


def contents(state: EmbeddedWorld | InitialState) -> dict[str, tuple[tuple[int, ...], bytes]]:
    return {name: (array.shape, array.tobytes()) for name, array in arrays(state)}


def test_placing_twice_gives_equal_rows_and_writes_nothing_that_was_there() -> None:
    backend = started([FULL, episode(2, actors=(PARKED, ONCOMING))])
    for _ in range(20):
        backend.step(actions(2))
    before, there = contents(backend), [(name, id(array)) for name, array in arrays(backend)]
    first, second = placed(backend, FULL, episode(3)), placed(backend, FULL, episode(3))
    assert contents(first) == contents(second)
    assert list(first.weather) == list(first.detectors) == [0]
    np.testing.assert_array_equal(first.weather[0], second.weather[0])
    assert first.detectors[0] is not second.detectors[0], "a detector has a memory of its own"
    assert contents(backend) == before and [(name, id(array)) for name, array in arrays(backend)] == there
    assert not any(np.shares_memory(a, b) for _, a in arrays(first) for _, b in arrays(second))


def test_a_reset_is_what_was_placed() -> None:
    backend = started([episode(2, actors=(PARKED,)), FULL, episode(3)])
    for _ in range(20):
        backend.step(actions(3))
    backend.reset([episode(4), FULL], [1, 2])
    for (name, mine), (_, theirs) in zip(arrays(backend), arrays(placed(backend, episode(4), FULL))):
        assert mine[[1, 2]].tobytes() == theirs.tobytes(), f"{name} keeps something of an earlier episode"
    assert list(backend._changing) == list(backend._detectors) == [2]


def test_a_larger_episode_leaves_the_other_worlds_as_they_are() -> None:
    backend, alone = (started([episode(1, actors=(ONCOMING,))] * 3) for _ in range(2))
    backend.reset([FULL, Episode("exits", 1, MapSpec("exits", kind="exits"))], [1, 2])
    assert backend.world.kind.shape[1] > alone.world.kind.shape[1], "there is no room for signs and traffic"
    assert backend.world.route.shape[1] > alone.world.route.shape[1], "there is no room for four exits"
    for _ in range(20):
        backend.step(actions(3))
        alone.step(actions(3))
    found = dict(arrays(backend))
    for name, array in arrays(alone):
        if len(array) == 3:  # not the arrays of scripts, which `alone` does not have
            mine = found[name][0][tuple(map(slice, array[0].shape))] if array.ndim > 1 else found[name][0]
            assert mine.tobytes() == array[0].tobytes(), name


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(CROWDED, "no room for another"), (replace(FULL, arm="nowhere"), "arm 'nowhere'"),
     (replace(FULL, decision_spec=DecisionSpec("no such")), "unknown kind of decision")],
)  # fmt: skip
def test_a_reset_that_fails_leaves_arrays_and_episodes_as_they_were(wrong: Episode, words: str) -> None:
    """The wrong episode comes last: the one before it could be placed, and needs larger tables."""
    backend = EmbeddedWorld(3, SMALL, Simulation(actors=4))
    running = [episode(1, actors=(PARKED, ONCOMING)), replace(episode(2), changes=FULL.changes), episode(3)]
    backend.reset(running)
    for _ in range(5):
        backend.step(actions(3))
    before, there = contents(backend), [id(array) for _, array in arrays(backend)]
    with pytest.raises(ValueError, match=words):
        backend.reset([FULL, wrong], [0, 2])
    assert contents(backend) == before and [id(array) for _, array in arrays(backend)] == there
    assert backend.episodes == running
    assert list(backend._changing) == [1] and not backend._detectors
    for _ in range(5):
        backend.step(actions(3))
    assert (backend.world.tick == 10).all()


def test_a_capacity_is_the_most_that_any_episode_needs() -> None:
    _, junction = locate(FULL, Simulation())
    assert Capacity(4).with_room_for(FULL, junction) == Capacity(7, 3, True, True, True)
    assert Capacity(9, 5).with_room_for(episode(1), junction) == Capacity(9, 5)
