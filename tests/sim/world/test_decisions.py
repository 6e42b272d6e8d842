"""A decision that is no way out is read from what ego does, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, DecisionSpec, DriverState, Episode, MapSpec
from sim.datatypes.vocabulary import DECISIONS, OUTCOME, UNDECIDED
from sim.road.graph.decision_points import bays_of
from sim.world.decisions.base import DecisionKind, register
from sim.world.decisions.registry import KINDS
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL, episode

STREET = MapSpec("parking_bays", (("arm", 40.0), ("bay", 7.0), ("bays", 3.0)), kind="parking_bays")


def asked(decision_spec: DecisionSpec, **changes: object) -> Episode:
    """An episode at the T that turns right and is read by a decision_spec."""
    return replace(episode(3), way="right", decision_spec=decision_spec, **changes)


def drive(backend: EmbeddedWorld, pace: float, ticks: int) -> list[str]:
    """Keep a pace for so many ticks, straight on; what is shown after each."""
    shown = []
    for _ in range(ticks):
        pedal = np.clip(2.0 * (pace - backend.world.speed[:, 0]), -6.0, 3.0).astype(np.float32)
        backend.step(Action(np.zeros(backend.worlds, np.float32), pedal))
        shown_decision = int(backend.world.shown_decision[0])
        shown.append("nothing" if shown_decision == UNDECIDED else DECISIONS[shown_decision])
    return shown


def started(one: Episode) -> EmbeddedWorld:
    backend = EmbeddedWorld(1, SMALL)
    backend.reset([one])
    return backend


# ---------------------------------------------------------------------------------------------------------- speeds
@pytest.mark.parametrize(("kind", "slow", "fast"), [("slow", "slow", "go"), ("reaction", "early", "late")])
def test_slowing_is_read_within_the_stretch_alone(kind: str, slow: str, fast: str) -> None:
    decision_spec = DecisionSpec(kind, begin=-20.0, end=-10.0, below=3.0)
    assert drive(started(asked(decision_spec)), 6.0, 45)[-1] == fast
    assert drive(started(asked(decision_spec)), 2.0, 80)[-1] == slow
    early = started(asked(decision_spec, distance=45.0))  # slow before the stretch, and fast again within it
    drive(early, 2.0, 20)
    assert drive(early, 7.0, 60)[-1] == fast


def test_it_shows_when_it_is_certain_and_does_not_change() -> None:
    decision_spec = DecisionSpec("slow", begin=-20.0, end=-10.0, below=3.0)
    shown = drive(started(asked(decision_spec)), 6.0, 45)
    first = shown.index("go")
    assert set(shown[:first]) == {"nothing"} and set(shown[first:]) == {"go"}


def test_stopping_wants_a_stand() -> None:
    decision_spec = DecisionSpec("stop", begin=-20.0, end=-5.0, below=0.1)
    assert drive(started(asked(decision_spec)), 0.4, 400)[-1] in ("nothing", "go")
    stops = started(asked(decision_spec))
    drive(stops, 5.0, 25)
    assert drive(stops, 0.0, 30)[-1] == "stop"


# ---------------------------------------------------------------------------------------------------------- orders
def crossing(lead: float, name: str = "crossing", arm: str = "west") -> ActorSpec:
    return ActorSpec(name, arm=arm, speed=7.0, turn="straight", arrival_offset=lead)


@pytest.mark.parametrize(("lead", "word"), [(3.0, "wait"), (-6.0, "go")])
def test_who_enters_first_is_read(lead: float, word: str) -> None:
    shown = drive(started(asked(DecisionSpec("order", ("crossing",)), actors=(crossing(lead),))), 6.0, 60)
    assert shown[-1] == word and shown[0] == "nothing"


def test_who_is_not_there_is_not_waited_for_and_who_is_not_named_does_not_count() -> None:
    absent = replace(crossing(3.0), present=False)
    assert drive(started(asked(DecisionSpec("order", ("crossing",)), actors=(absent,))), 6.0, 60)[-1] == "go"
    other = crossing(3.0, "other")
    shown = drive(started(asked(DecisionSpec("order", ("crossing",)), actors=(absent, other))), 6.0, 60)
    assert shown[-1] == "go"


def test_a_place_counts_those_before() -> None:
    actors = (crossing(3.0, "west"), crossing(4.0, "east", "east"), crossing(-9.0, "late"))
    decision_spec = DecisionSpec("place", ("west", "east", "late"))
    assert drive(started(asked(decision_spec, actors=actors)), 6.0, 60)[-1] == "place 3"


# ------------------------------------------------------------------------------------------------------------ bays
def parked(k: int, off: float = 0.0) -> EmbeddedWorld:
    """Ego put into bay k by hand, so many metres off its middle, at a stand."""
    one = Episode(
        "x", 1, STREET, arm="west", distance=30.0, speed=0.0, time_limit=60.0, decision_spec=DecisionSpec("bay")
    )
    backend = started(one)
    x, y, yaw = bays_of(backend.maps.maps[0])[k - 1, :3]
    world = backend.world
    world.x[0, 0], world.y[0, 0], world.yaw[0, 0] = x - 1.35 + off, y, yaw
    return backend


def test_standing_in_a_bay_is_arriving_in_it() -> None:
    backend = parked(2)
    shown = drive(backend, 0.0, 15)
    assert shown[-1] == "bay 2" and backend.world.outcome[0] == OUTCOME["arrived"]
    assert shown[:5] == ["nothing"] * 5  # a moment is no parking


def test_standing_across_a_line_is_none() -> None:
    assert set(drive(parked(2, off=2.5), 0.0, 15)) == {"nothing"}


# -------------------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("decision_spec", "told"),
    [
        (DecisionSpec("hope"), "unknown kind of decision 'hope'; known are order, yield"),
        (DecisionSpec("order", ("nobody",)), "the decision names the actor 'nobody'; known are none"),
        (DecisionSpec("bay"), "has no bays to park in"),
        (DecisionSpec("junction"), "kind 'junction' is a way out, which needs no decision_spec"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(decision_spec: DecisionSpec, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        started(asked(decision_spec))


def test_a_way_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no way 'straight' from arm 'south'; ways from there are left, right"):
        started(replace(episode(1), way="straight"))


# ---------------------------------------------------------------------------------------------------- declarations
def test_numbers_of_decisions_never_change() -> None:
    # Demonstrations hold these numbers: append words, and pin them here.
    turns = ("left", "right", "straight")
    assert DECISIONS == (
        *turns, "go", "wait", "stop", "yield", "slow", "early", "late",
        "exit 1", "exit 2", "exit 3", "exit 4", "bay 1", "bay 2", "bay 3", "bay 4", "bay 5", "bay 6",
        "lane 1", "lane 2", "lane 3", "place 1", "place 2", "place 3", "place 4",
        *(f"{first} then {second}" for first in turns for second in turns), "gap 1", "gap 2", "gap 3",
    )  # fmt: skip


def test_every_kind_has_words_a_sentence_and_an_example_of_what_it_needs() -> None:
    assert len(KINDS) >= 10
    for kind in KINDS.values():
        assert (kind.detector is None) == (not kind.words) == (kind.name == "junction")
        assert all(word.split(" ")[0] in kind.read_when for word in kind.words)
        assert bool(kind.example) == bool(kind.needs)
        assert ("{actors}" in kind.read_when) == ("actors" in kind.needs)


def test_a_word_that_is_no_decision_and_a_name_that_is_taken_are_refused() -> None:
    with pytest.raises(ValueError, match="kind 'mood' has the word 'sad', which is no decision; known are left, "):
        DecisionKind("mood", ("sad",), None, "")
    with pytest.raises(ValueError, match="there is a kind of decision 'bay' already"):
        register(DecisionKind("bay", (), None, ""))


# ------------------------------------------------------------------------------------------------------------- gaps
def gap_shown(leader: ActorSpec, pace: float, ticks: int) -> list[str]:
    """What a drive at a pace shows, read by the time gap from 33 to 28 m before the T, where no leader slows yet."""
    decision_spec = DecisionSpec("gap", (leader.name,), -33.0, -28.0)
    return drive(started(asked(decision_spec, actors=(leader,), distance=38.0, speed=pace)), pace, ticks)


@pytest.mark.parametrize(("metres", "word"), [(6.0, "gap 1"), (12.0, "gap 2"), (18.0, "gap 3"), (30.0, "gap 3")])
def test_a_time_gap_is_read_from_bumper_to_bumper(metres: float, word: str) -> None:
    # Both drive 6 m/s. A car's rear axle is 3.55 m behind its front bumper and 0.85 m before its rear bumper.
    leader = ActorSpec("leader", arm="south", distance=38.0 - 3.55 - metres - 0.85, speed=6.0, turn="right")
    shown = gap_shown(leader, 6.0, 25)
    assert shown[-1] == word and shown[0] == "nothing"
    assert set(shown) == {"nothing", word}


def test_without_a_leader_the_gap_is_the_largest() -> None:
    absent = ActorSpec("leader", arm="south", distance=20.0, speed=6.0, turn="right", present=False)
    assert gap_shown(absent, 6.0, 25)[-1] == "gap 3"


def test_an_episode_with_a_trial_and_a_mood_survives_being_stored() -> None:
    one = asked(
        DecisionSpec("order", ("crossing",)), actors=(crossing(3.0),), driver_state=DriverState(drowsy=True, onset=3.0)
    )
    assert Episode.from_dict(one.to_dict()) == one
    assert not {"decision_spec", "way", "driver_state"} & set(episode(1).to_dict())


def test_a_reset_that_fails_keeps_who_reads_the_other_worlds() -> None:
    backend = started(asked(DecisionSpec("slow", begin=-20.0, end=-10.0, below=3.0)))
    with pytest.raises(ValueError, match="unknown kind"):
        backend.reset([asked(DecisionSpec("hope"))])
    assert drive(backend, 2.0, 80)[-1] == "slow"
