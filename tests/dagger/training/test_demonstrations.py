"""Shards: what is written comes back to the bit, what is torn or altered is named, and the rest stays usable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dagger.algorithms.base import BetaSchedule
from dagger.training.collect import collect
from dagger.training.demonstrations import TICK_FIELDS, Demonstration, DemonstrationStore
from policies.expert.expert import Expert
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import load_scenario
from sim.datatypes.episode import Episode
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import DYNAMIC_FIELDS
from tests.support.worlds import ONCOMING, PARKED, SMALL, episode


def made(seed: int, ticks: int = 5, actors: int = 3, of: Episode | None = None) -> Demonstration:
    """A demonstration of noise: every field different from every other."""
    rng = np.random.default_rng(seed)
    kinds = {np.float32: rng.normal(0, 1, ticks), np.bool_: rng.random(ticks) < 0.5, np.int8: rng.integers(0, 3, ticks)}
    return Demonstration(
        episode=of or episode(seed, actors=(PARKED, ONCOMING)), driver="dagger", round=seed % 4,
        policy_version=f"v{seed}",
        map_sha256="ab" * 32,
        moving={n: rng.normal(0, 30, (ticks, actors)).astype(t) for n, t in DYNAMIC_FIELDS.items()},
        weather=rng.uniform(0, 100, (ticks, 14)).astype(np.float32),
        ticks={n: np.roll(kinds[k], i).astype(k) for i, (n, k) in enumerate(TICK_FIELDS.items())},
        propositions={"raining": rng.random(ticks) < 0.5, "night": rng.random(ticks) < 0.5}, outcome=1,
        shown_decision=-1, versions={"numpy": "x"},
    )  # fmt: skip


def equal(a: Demonstration, b: Demonstration) -> None:
    for name in ("episode", "driver", "round", "policy_version", "map_sha256", "outcome", "shown_decision", "versions"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("moving", "ticks", "propositions"):
        one, other = getattr(a, name), getattr(b, name)
        assert set(one) == set(other)
        for key in one:
            assert np.asarray(one[key]).tobytes() == other[key].tobytes(), f"{name} {key}"
            assert one[key].shape == other[key].shape
    assert a.weather.tobytes() == b.weather.tobytes()


@pytest.fixture
def store(tmp_path: Path) -> DemonstrationStore:
    filled = DemonstrationStore(tmp_path / "demonstrations")
    filled.append([made(1), made(2, ticks=9, actors=2)], "round-0")
    filled.append([made(3)], "dagger-1")
    return filled


def test_what_is_written_comes_back_to_the_bit(store: DemonstrationStore) -> None:
    found = DemonstrationStore(store.folder).read()
    assert len(found) == 3
    for one, other in zip([made(1), made(2, ticks=9, actors=2), made(3)], found):
        equal(one, other)
    assert len(found[1]) == 9 and found[1].labels == int(found[1].ticks["valid"].sum())


def test_tick_fields_keep_their_types(store: DemonstrationStore) -> None:
    for d in store.read():
        assert {n: v.dtype.type for n, v in d.ticks.items()} == TICK_FIELDS


def test_shards_are_chosen_by_tag_in_the_order_of_the_index(store: DemonstrationStore) -> None:
    assert store.tags() == ["round-0", "dagger-1"]
    assert [d.policy_version for d in store.read(["dagger-1"])] == ["v3"]
    assert [d.policy_version for d in store.read(["dagger-1", "round-0"])] == ["v1", "v2", "v3"]
    with pytest.raises(ValueError, match=r"no shard \['dagger-9'\].*'round-0', 'dagger-1'"):
        store.read(["dagger-9", "round-0"])


def test_a_tag_is_written_once(store: DemonstrationStore) -> None:
    before = (store.folder / "round-0.arrow").read_bytes()
    with pytest.raises(ValueError, match="already has a shard 'round-0'"):
        store.append([made(9)], "round-0")
    assert (store.folder / "round-0.arrow").read_bytes() == before
    assert store.tags() == ["round-0", "dagger-1"]


def test_the_index_counts_what_the_shards_hold(store: DemonstrationStore) -> None:
    first, second = store.entries()
    assert (first["episodes"], first["ticks"], second["ticks"]) == (2, 14, 5)
    assert first["labels"] == made(1).labels + made(2, ticks=9, actors=2).labels


# ----------------------------------------------------------------------------------------------------- damage
@pytest.mark.parametrize("position", [0.1, 0.5, 0.95])
def test_an_altered_shard_is_named_and_the_others_stay_usable(store: DemonstrationStore, position: float) -> None:
    path = store.folder / "round-0.arrow"
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= 1
    path.write_bytes(bytes(data))
    assert [d.policy_version for d in store.read()] == ["v3"]
    assert list(store.damaged) == ["round-0.arrow"] and "SHA-256" in store.damaged["round-0.arrow"]
    with pytest.raises(ValueError, match=r"round-0\.arrow"):
        store.read(["round-0"])


def test_a_missing_shard_is_named_and_the_others_stay_usable(store: DemonstrationStore) -> None:
    (store.folder / "dagger-1.arrow").unlink()
    assert len(store.read()) == 2
    assert store.damaged == {"dagger-1.arrow": "the file is missing"}


def test_a_shard_of_another_format_is_named(store: DemonstrationStore) -> None:
    index = store.folder / "index.jsonl"
    entries = [{**json.loads(line), "format": 99} for line in index.read_text().splitlines()[:1]]
    index.write_text("".join(json.dumps(e) + "\n" for e in entries))
    with pytest.raises(ValueError, match="format 99, this version reads 2"):
        store.read()


# ------------------------------------------------------------------------------------------- kills at any instant
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_torn_last_line_of_the_index_is_not_counted_and_is_replaced(store: DemonstrationStore, share: float) -> None:
    index = store.folder / "index.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text(lines[0] + lines[1][: max(1, int(share * len(lines[1])))])
    assert store.tags() == ["round-0"]
    store.append([made(7)], "dagger-1")
    assert store.tags() == ["round-0", "dagger-1"]
    assert [d.policy_version for d in store.read()] == ["v1", "v2", "v7"]


def test_a_line_that_lost_only_its_end_still_counts_after_the_next_append(store: DemonstrationStore) -> None:
    index = store.folder / "index.jsonl"
    index.write_bytes(index.read_bytes().rstrip(b"\n"))
    assert store.tags() == ["round-0", "dagger-1"]
    store.append([made(7)], "dagger-2")
    assert store.tags() == ["round-0", "dagger-1", "dagger-2"]


def test_a_broken_line_in_the_middle_is_an_error_with_its_number(store: DemonstrationStore) -> None:
    index = store.folder / "index.jsonl"
    index.write_text("{torn\n" + index.read_text())
    with pytest.raises(ValueError, match=r"index\.jsonl:1 is not JSON"):
        store.tags()


def test_a_shard_missing_from_the_index_is_replaced_by_the_next_append(store: DemonstrationStore) -> None:
    (store.folder / "dagger-2.arrow").write_bytes(b"killed before the index was written")
    (store.folder / ".dagger-2.arrow.part").write_bytes(b"killed before that")
    assert store.tags() == ["round-0", "dagger-1"]
    store.append([made(8)], "dagger-2")
    assert [d.policy_version for d in store.read(["dagger-2"])] == ["v8"]


# -------------------------------------------------------------------------------------------------------- the size
def test_a_tick_of_rain_turn_takes_less_than_half_a_kilobyte(tmp_path: Path) -> None:
    scenario = load_scenario("rain-turn")
    episodes = balanced_batch(scenario, range(8), "train")
    found = collect(
        EmbeddedWorld(8, SMALL, slots_needed(scenario)), Expert.of(scenario), None, episodes,
        BetaSchedule(), 0, "expert",
        versions={"numpy": "2.4.0", "torch": "2.13.0"},
    )  # fmt: skip
    store = DemonstrationStore(tmp_path)
    name = store.append(found, "round-0")
    ticks = sum(len(d) for d in found)
    assert ticks > 500
    assert (tmp_path / name).stat().st_size / ticks < 500
    for one, other in zip(found, store.read()):
        equal(one, other)


def test_an_episode_survives_its_own_description() -> None:
    given = episode(4, actors=(PARKED, replace(ONCOMING, present=False)))
    assert Episode.from_dict(json.loads(json.dumps(given.to_dict()))) == given
    with pytest.raises(ValueError, match="unknown episode fields \\['wheels'\\]"):
        Episode.from_dict({**given.to_dict(), "wheels": 4})
