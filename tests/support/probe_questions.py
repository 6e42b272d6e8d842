"""Scenarios that ask more than left or right by one fact: three decisions, a rule that reads three, no held-outs."""

from __future__ import annotations

from typing import Any

from scenarios.scenario import Scenario, from_data, load_scenario


def _like_rain_turn(name: str, description: str, rule: str, **more: Any) -> Scenario:
    data = {k: v for k, v in load_scenario("rain-turn").data.items() if k not in ("balance", "shown_by", "why_hard")}
    return from_data(data | {"name": name, "description": description, "rule": rule} | more)


def three_ways() -> Scenario:
    """A crossroads and three decisions by two propositions."""
    return _like_rain_turn(
        "three-ways",
        "At a crossroads the driver turns left in wet nights, goes on in rain by day, and turns right when it is dry.",
        "left if raining and night else straight if raining else right",
        map={"generate": "crossroads", "arm": [40, 60]},
        splits={"train": "not (night and oncoming)", "test": True},
    )


def right_at_night() -> Scenario:
    """The rule names right first, and nothing is held out."""
    return _like_rain_turn(
        "right-at-night",
        "At the stem of a T-junction the driver turns right at night and left by day.",
        "right if night else left",
        splits={"train": True, "test": True},
    )


def majority(time_limit: float = 60.0) -> Scenario:
    """Four propositions, of which the rule goes with the majority of three; long episodes."""
    return _like_rain_turn(
        "majority",
        "At the stem of a T-junction the driver turns left when two at least of rain, night and an oncoming car hold.",
        "left if raining and night or raining and oncoming or night and oncoming else right",
        propositions=dict(load_scenario("rain-turn").data["propositions"]) | {"parked": "actors.parked.present"},
        time_limit=time_limit,
        splits={"train": "not (raining and night and oncoming)", "test": True},
    )


def either_board() -> Scenario:
    """Two propositions that exclude each other: what one board says."""
    return _like_rain_turn(
        "either-board",
        "At the stem of a T-junction the driver turns left when the board says LEFT and right otherwise.",
        "left if to_left else right",
        signs=[{"name": "board", "kind": "text", "text": {"choice": ["LEFT", "RIGHT", "SALE"]}, "arm": "south",
                "distance": 12}],
        propositions={"to_left": 'signs.board.text == "LEFT"', "to_right": 'signs.board.text == "RIGHT"'},
        splits={"train": True, "test": True},
    )  # fmt: skip


def constant() -> Scenario:
    """A rule that says one thing whatever is true."""
    return _like_rain_turn("always-left", "The driver always turns left.", "left")
