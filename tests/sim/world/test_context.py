"""The context of a run: its number of worlds, its map folders and its log; it can be pickled."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from scenarios.sampling.sample import sample, slots_needed
from scenarios.scenario import load_scenario
from sim.road.generators.intersections import t_junction
from sim.world.context import RunContext
from tests.support.stand_in_backend import Elsewhere, ElsewhereWorlds
from tests.support.worlds import SMALL


def test_the_number_of_worlds_is_the_least_of_what_is_wanted_allowed_and_possible() -> None:
    free, two = RunContext(worlds=8), RunContext(worlds=8, make_backend=ElsewhereWorlds(2))
    assert (free.limit, two.limit) == (None, 2)
    assert [free.at_once(n) for n in (3, 8, 100)] == [3, 8, 8] and [two.at_once(n) for n in (1, 100)] == [1, 2]
    assert free.limited(100) == 100 and two.limited(100) == 2, "`limited` knows the backend alone"
    assert RunContext(make_backend=ElsewhereWorlds(0)).limited(5) == 1


def test_a_backend_has_the_threads_of_its_context_and_reports_and_closes_where_the_block_fails() -> None:
    worlds = ElsewhereWorlds(3)
    context = RunContext(threads=3, make_backend=worlds)
    with pytest.raises(RuntimeError, match="stop"), context.backend(2, SMALL) as backend:
        assert isinstance(backend, Elsewhere) and backend._inner.threads == 3 and backend.worlds == 2
        assert not context.log.versions and worlds.open == 2
        raise RuntimeError("stop")
    assert worlds.open == 0 and context.log.versions == {"elsewhere": "1"}


def test_a_copy_in_another_process_has_the_same_settings_and_a_log_of_its_own() -> None:
    context = RunContext(worlds=3, threads=1, map_search=(Path("maps"),))
    copy = pickle.loads(pickle.dumps(context))
    settings = ("worlds", "threads", "map_search", "make_backend")
    assert [getattr(copy, name) for name in settings] == [getattr(context, name) for name in settings]
    copy.log.versions["carla server"] = "0.9.16"
    assert not context.log.versions
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.worlds = 4  # type: ignore[misc]


def test_maps_are_looked_for_in_the_folders_of_the_context_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "small.xodr").write_text(t_junction(arm=15.0))
    place = {"file": "small.xodr", "junction": "t_junction"}
    monkeypatch.setenv("HOMUNCULUS_MAPS", str(tmp_path / "here"))
    by_default, elsewhere = RunContext(), RunContext(map_search=(tmp_path / "elsewhere",))
    assert by_default.map_search == (tmp_path / "here",)
    with pytest.raises(FileNotFoundError, match=r"small\.xodr.*elsewhere"):
        sample(load_scenario("rain-turn", elsewhere.map_search).with_map(place), 0)
    monkeypatch.delenv("HOMUNCULUS_MAPS")
    assert RunContext().map_search == ()
    scenario = load_scenario("rain-turn", by_default.map_search).with_map(place)
    episode = sample(scenario, 0)
    assert episode.map.file == "small.xodr" and scenario != load_scenario("rain-turn").with_map(place)
    with by_default.backend(1, SMALL, slots_needed(scenario)) as backend:
        backend.reset([episode])
    with elsewhere.backend(1, SMALL, slots_needed(scenario)) as backend, pytest.raises(FileNotFoundError):
        backend.reset([episode])
