"""Right of way between lane drivers at a junction without signs: the one from the right first, left turns last."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from sim.datatypes.episode import TrafficSpec
from sim.road.map.lane_arrays import HEADING, JUNCTION, NEXT, NEXT_END, TURN
from sim.traffic.right_of_way import LANE
from tests.support.towns import Town

ARMS = ("south", "east", "north", "west")  # where a driver comes from; each has the next one on its right
TO_ARM = dict(zip(ARMS, (-np.pi / 2, 0.0, np.pi / 2, np.pi)))  # [rad] from the junction
TURNS = {"straight": 0.0, "left": np.pi / 2, "right": -np.pi / 2}


def route_of(town: Town, arm: str, turn: str) -> list[int]:
    """The lanes from an arm of the crossroads through it and out of it."""
    link, measure = town.roads.link, town.roads.measure

    def after(lane: int) -> list[int]:
        return town.roads.successors[link[lane, NEXT] : link[lane, NEXT_END]].tolist()

    (inbound,) = (
        lane
        for lane in np.flatnonzero(link[:, JUNCTION] < 0).tolist()
        if after(lane) and np.cos(measure[lane, HEADING] - TO_ARM[arm]) < -0.9
    )
    (way,) = (lane for lane in after(inbound) if abs(measure[lane, TURN] - TURNS[turn]) < 0.1)
    return [inbound, way, *after(way)]


def order_of_entry(town: Town) -> list[int]:
    """The slots of two drivers in the order in which their rear axles come to the junction."""
    order: list[int] = []

    def each(tick: int) -> None:
        inside = town.roads.link[town.traffic.driver[0, 1:, LANE], JUNCTION] >= 0
        order.extend(slot for slot in (np.flatnonzero(inside) + 1).tolist() if slot not in order)

    town.run(300, each)
    return order


@pytest.mark.parametrize("mine_first", [True, False])
@pytest.mark.parametrize("arm", ARMS)
def test_of_two_drivers_that_come_at_once_the_one_from_the_right_enters_first(arm: str, mine_first: bool) -> None:
    town, right = Town("crossroads", TrafficSpec(), seeds=1, more=2), ARMS[(ARMS.index(arm) + 1) % 4]
    mine, theirs = (1, 2) if mine_first else (2, 1)
    for slot, come_from in ((mine, arm), (theirs, right)):
        town.put(0, slot, route_of(town, come_from, "straight"), s=15.0, speed=8.0)
    assert order_of_entry(town) == [theirs, mine]


@pytest.mark.parametrize(("left", "straight"), [*permutations((1, 2))])
def test_a_driver_that_turns_left_lets_an_oncoming_one_go_first(left: int, straight: int) -> None:
    town = Town("crossroads", TrafficSpec(), seeds=1, more=2)
    town.put(0, left, route_of(town, "south", "left"), s=15.0, speed=8.0)
    town.put(0, straight, route_of(town, "north", "straight"), s=15.0, speed=8.0)
    assert order_of_entry(town) == [straight, left]


def test_a_driver_from_the_right_that_is_far_away_is_not_waited_for() -> None:
    town = Town("crossroads", TrafficSpec(), seeds=1, more=2)
    town.put(0, 1, route_of(town, "south", "straight"), s=30.0, speed=8.0)
    town.put(0, 2, route_of(town, "east", "straight"), s=2.0, speed=3.0)
    assert order_of_entry(town) == [1, 2]


def test_drivers_whose_ways_do_not_cross_enter_together() -> None:
    town = Town("crossroads", TrafficSpec(), seeds=1, more=2)
    for slot, arm in ((1, "south"), (2, "north")):
        town.put(0, slot, route_of(town, arm, "straight"), s=15.0, speed=8.0)
    together = 0

    def each(tick: int) -> None:
        nonlocal together
        together += bool((town.roads.link[town.traffic.driver[0, 1:, LANE], JUNCTION] >= 0).all())

    town.run(150, each)
    assert together > 5
