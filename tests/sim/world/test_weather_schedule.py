"""Weather that changes on the way: what it is at any moment, and that a world's weather is its own episode's alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.datatypes.action import Action
from sim.datatypes.episode import Episode, Weather, WeatherChange
from sim.datatypes.vocabulary import OUTCOME, WEATHER_FIELDS, WEATHER_INDEX
from sim.world.weather_schedule import settled, weather_at, weather_table
from tests.support.worlds import episode, row_bytes, started

RAIN, SUN, CLOUD = (WEATHER_INDEX[f] for f in ("precipitation", "sun_azimuth_angle", "cloudiness"))
FRONT = WeatherChange(2.0, 1.5, (("cloudiness", 90.0), ("precipitation", 70.0)), "front")


def changing(*changes: WeatherChange, **start: float) -> Episode:
    return episode(weather=replace(Weather(), **start), changes=changes)


def idle(worlds: int) -> Action:
    return Action(np.zeros(worlds, np.float32), np.zeros(worlds, np.float32))


def test_a_field_goes_evenly_from_where_it_was_to_its_new_value_and_the_others_stay() -> None:
    e = changing(FRONT, cloudiness=30.0, precipitation=0.0)
    found = weather_at(e, np.array([0.0, 2.0, 2.75, 3.5, 9.0]))
    assert found[:, RAIN].tolist() == [0.0, 0.0, 35.0, 70.0, 70.0]
    assert found[:, CLOUD].tolist() == [30.0, 30.0, 60.0, 90.0, 90.0]
    others = [i for i in range(len(WEATHER_FIELDS)) if i not in (RAIN, CLOUD)]
    assert (found[:, others] == e.weather.array()[others]).all()


def test_a_change_that_takes_no_time_is_there_at_its_moment_and_not_before() -> None:
    e = changing(WeatherChange(2.0, 0.0, (("precipitation", 70.0),)))
    assert weather_at(e, np.array([1.999, 2.0]))[:, RAIN].tolist() == [0.0, 70.0]
    assert weather_at(changing(WeatherChange(0.0, 0.0, (("precipitation", 5.0),))), 0.0)[RAIN] == 5.0


def test_the_sun_goes_the_short_way_round() -> None:
    e = changing(WeatherChange(0.0, 4.0, (("sun_azimuth_angle", 20.0),)), sun_azimuth_angle=340.0)
    assert weather_at(e, np.array([0.0, 1.0, 2.0, 3.0, 4.0]))[:, SUN].tolist() == [340.0, 350.0, 0.0, 10.0, 20.0]
    back = changing(WeatherChange(0.0, 4.0, (("sun_azimuth_angle", 340.0),)), sun_azimuth_angle=20.0)
    assert weather_at(back, np.array([1.0, 3.0, 4.0]))[:, SUN].tolist() == [10.0, 350.0, 340.0]


def test_a_change_takes_over_from_one_that_is_still_at_work_whatever_their_order_in_the_episode() -> None:
    first = WeatherChange(0.0, 10.0, (("precipitation", 100.0),))
    second = WeatherChange(4.0, 2.0, (("precipitation", 0.0),))
    for e in (changing(first, second), changing(second, first)):
        assert weather_at(e, np.array([2.0, 4.0, 5.0, 6.0, 20.0]))[:, RAIN].tolist() == [20.0, 40.0, 20.0, 0.0, 0.0]
        assert settled(e).precipitation == 0.0


changes = st.builds(
    WeatherChange,
    st.floats(0, 9), st.one_of(st.just(0.0), st.floats(0.01, 5)),
    st.lists(st.tuples(st.sampled_from(["precipitation", "sun_azimuth_angle", "wetness"]), st.floats(0, 359)),
             max_size=3, unique_by=lambda t: t[0]).map(tuple),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(changes, max_size=4).map(tuple), st.lists(st.floats(0, 30), min_size=1, max_size=6))
def test_many_moments_at_once_are_as_one_by_one_and_the_end_is_what_is_left(several, moments) -> None:
    e = changing(*several)
    together = weather_at(e, np.array(moments))
    for row, seconds in zip(together, moments):
        assert row.tobytes() == weather_at(e, seconds).tobytes()
    assert weather_at(e, 30.0).tobytes() == settled(e).array().tobytes()
    table = weather_table(e, 0.1)
    assert table[-1].tobytes() == settled(e).array().tobytes(), "the last row is kept for good"
    assert table[0].tobytes() == weather_at(e, 0.0).tobytes()


def test_the_table_ends_with_the_episode() -> None:
    late = replace(changing(WeatherChange(1e6, 1.0, (("precipitation", 9.0),))), time_limit=20.0)
    assert len(weather_table(late, 0.1)) < 210


def test_an_episode_with_changes_survives_json_and_one_without_is_stored_as_ever() -> None:
    e = changing(FRONT, replace(FRONT, at=7.0, name="later"))
    assert Episode.from_dict(json.loads(json.dumps(e.to_dict()))) == e
    assert "changes" not in episode().to_dict() and Episode.from_dict(episode().to_dict()) == episode()


def test_a_worlds_weather_is_that_of_its_own_episode_at_its_own_tick() -> None:
    episodes = [
        changing(FRONT),
        episode(2),
        changing(replace(FRONT, at=0.35, over=0.0)),
        changing(replace(FRONT, at=1)),
    ]
    backend, alone = started(episodes), started([episodes[3]])
    for tick in range(60):
        for w, e in enumerate(episodes):
            assert backend.world.weather[w].tobytes() == weather_at(e, tick * backend.simulation.tick).tobytes()
        assert row_bytes(backend, 3) == row_bytes(alone, 0)
        backend.step(idle(4))
        alone.step(idle(1))
    assert backend.world.weather[0, RAIN] == 70.0 and backend.world.weather[1, RAIN] == 0.0


def test_a_slot_forgets_the_changes_of_the_episode_before() -> None:
    backend = started([changing(FRONT), episode(2)])
    backend.reset([episode(3)], [0])
    for _ in range(50):
        backend.step(idle(2))
    assert (backend.world.weather[:, RAIN] == 0.0).all()


def test_the_weather_stops_with_the_world() -> None:
    e = replace(changing(WeatherChange(0.0, 4.0, (("precipitation", 80.0),))), time_limit=2.0)
    backend = started([e])
    for _ in range(40):
        backend.step(idle(1))
    assert backend.world.outcome[0] == OUTCOME["timeout"] and backend.world.weather[0, RAIN] == 40.0


def test_a_shadow_has_its_own_weather_at_the_tick_of_the_world_that_it_follows() -> None:
    dry, wet = episode(5), replace(episode(5), changes=(FRONT,))
    base, shadow = started([dry]), started([wet])
    for tick in range(1, 45):
        base.step(idle(1))
        shadow.step(idle(1))
        shadow.sync_ego(base.world)
        assert shadow.world.weather[0].tobytes() == weather_at(wet, tick * 0.1).tobytes()
        assert shadow.world.x[0, 0] == base.world.x[0, 0]
    other = started([wet])
    other.sync_ego(base.world)
    assert other.world.weather[0, RAIN] == 70.0, "a world that joins late finds the weather of now"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace(FRONT, at=-1.0), r"'front': at is -1.0; wanted seconds"),
        (replace(FRONT, at=float("inf")), r"'front': at is inf"),
        (replace(FRONT, over=float("nan")), r"'front': over is nan"),
        (replace(FRONT, to=(("rain", 1.0),)), r"'front': unknown field 'rain'; known are cloudiness, precipitation"),
        (replace(FRONT, to=(("wetness", float("inf")),)), r"'front': wetness is inf; wanted a finite number"),
    ],
)
def test_a_change_that_means_nothing_is_refused_and_leaves_the_world_as_it_was(change, told) -> None:
    backend = started([episode(1)])
    before = row_bytes(backend, 0)
    with pytest.raises(ValueError, match=told):
        backend.reset([changing(change)])
    assert row_bytes(backend, 0) == before
