"""The report's section on copying: whether the policy reads the scene, or its own motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagger.report import charts as figures
from dagger.report.html import figure, missing, section
from sim.core.statistics import wilson_interval

TITLE = "Reading the scene, or its own motion"
INTRO = (
    "What the memory says of the coming decision, long before it shows: while it watches the expert drive, and while "
    "it drives itself."
)
GAP = 0.15  # between watching and driving that is called copying, where the intervals part as well
LOW = 0.8  # share below which the memory does not know the decision, even while it watches


def sentence(told: Mapping[str, Any]) -> str:
    """The two numbers in words, and what they come to; "" where they were not asked for."""
    watching, driving = (told.get(name) or {} for name in ("watching", "driving"))
    if watching.get("value") is None or driving.get("value") is None:
        return ""
    return (
        f"{told['before']:g} s before the decision shows, the memory says the wanted one in {watching['value']:.2f} of "
        f"{watching['n']} drives while it watches and in {driving['value']:.2f} of {driving['n']} while it drives: "
        f"{diagnosis(told)}"
    )


def diagnosis(told: Mapping[str, Any]) -> str:
    """What the two numbers come to, by rule."""
    watching, driving = told["watching"], told["driving"]
    if watching["value"] < LOW:
        return "it does not know the decision before it shows"
    apart = watching["interval"][0] > driving["interval"][1]
    if watching["value"] - driving["value"] >= GAP and apart:
        return "copying: right while watching, wrong while driving"
    return "no copying: what it knows while watching it knows while driving"


def copying(score: Mapping[str, Any]) -> str:
    """The section: two numbers in a sentence, and the curves."""
    told = score.get("copying") or {}
    if not told.get("curves"):
        return section(TITLE, INTRO, missing(str(told.get("note") or "Copying was not measured.")))
    wrong, n = told["took_another_way"], told["episodes"]
    low, high = wilson_interval(wrong, n)
    caption = (
        f"{sentence(told)}. Read by the hindsight head, which drives nothing. In {wrong} of {n} drives of its own "
        f"[{low:.2f}, {high:.2f}] it decided otherwise than the expert would have. A driver who copies says, while it "
        "drives, what it is about to do (dashed), right or wrong. Bands are 95 % intervals over drives; drives count "
        "while they have not shown their decision."
    )
    return section(TITLE, INTRO, figure(figures.copying_curves(told), caption))
