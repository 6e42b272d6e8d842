"""The report's section on copying: whether the policy follows the scene, or its own motion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagger.report import charts as figures
from dagger.report.html import figure, missing, section
from sim.core.statistics import wilson_interval

TITLE = "Copying: the scene, or its own motion"
INTRO = (
    "What the memory predicts of the coming decision before it shows: while the policy watches the expert drive, and "
    "while it drives itself."
)
GAP = 0.15  # between watching and driving that counts as copying, if the intervals are disjoint too
LOW = 0.8  # share below which the memory does not know the decision, even while it watches


def sentence(told: Mapping[str, Any]) -> str:
    """The two numbers and the diagnosis in words; "" if they were not measured."""
    watching, driving = (told.get(name) or {} for name in ("watching", "driving"))
    if watching.get("value") is None or driving.get("value") is None:
        return ""
    return (
        f"{told['before']:g} s before the decision shows, the memory predicts the wanted one in "
        f"{watching['value']:.2f} of {watching['n']} drives while the policy watches the expert and in "
        f"{driving['value']:.2f} of {driving['n']} while it drives: "
        f"{diagnosis(told)}"
    )


def diagnosis(told: Mapping[str, Any]) -> str:
    """The diagnosis that follows from the two numbers."""
    watching, driving = told["watching"], told["driving"]
    if watching["value"] < LOW:
        return "it does not know the decision before it shows"
    apart = watching["interval"][0] > driving["interval"][1]
    if watching["value"] - driving["value"] >= GAP and apart:
        return "copying: right while watching, wrong while driving"
    return "no copying: what it knows while watching it knows while driving"


def copying(score: Mapping[str, Any]) -> str:
    """The section: the two numbers in a sentence, and the curves."""
    told = score.get("copying") or {}
    if not told.get("curves"):
        return section(TITLE, INTRO, missing(str(told.get("note") or "Copying was not measured.")))
    wrong, n = told["took_another_way"], told["episodes"]
    low, high = wilson_interval(wrong, n)
    caption = (
        f"{sentence(told)}. Read from the hindsight head, which does not control the car. In {wrong} of {n} drives of "
        f"its own [{low:.2f}, {high:.2f}] it decided otherwise than the expert would have. A policy that copies "
        "predicts, while it drives, what it is about to do (dashed), right or wrong. Bands are 95 % intervals over "
        "drives; drives count while they have not shown their decision."
    )
    return section(TITLE, INTRO, figure(figures.copying_curves(told), caption))
