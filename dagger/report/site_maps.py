"""Heat maps of the network along the route: what is encoded, readable and used at every layer and place.

Every function takes plain data from the run's files and returns HTML; it names what is absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagger.report import charts as figures
from dagger.report.charts import number
from dagger.report.html import figure, missing, section
from dagger.report.sections import why_not

_SITES = {
    "encoder": "the embedding of the picture",
    "memory": "the state carried from tick to tick",
    "head": "the layer that the controls are computed from",
}


def maps(score: Mapping[str, Any]) -> str:
    """The section of the maps: what can be read, and what is used, at every layer and place."""
    found = score.get("maps") or {}
    title, intro = (
        "Where and when facts are encoded",
        "The layers of the network, from the picture (below) to the controls (above), along the route.",
    )
    sites, stations = found.get("sites"), found.get("stations")
    if not sites or not stations:
        return section(title, intro, missing("The maps of layers and places were not recorded."))
    about = f" of “{found['proposition']}”" if found.get("proposition") else ""
    asked = f" of “{score['question']}”" if score.get("question") else about
    place, controlled = str(score.get("place") or "junction"), str(found.get("control") or "steering")
    alike = "steer alike" if controlled == "steering" else "accelerate alike"
    out = []
    limit = found.get("readable_threshold")
    known = _sites_said(sites)
    if found.get("held"):
        out.append(_held(score, found["held"], sites, stations, place))
    elif found.get("readable"):
        chance = (
            f"Grey cells stay under {number(limit)}, which labels shuffled across episodes hardly ever reach anywhere "
            "on the map: there, nothing counts as readable."
            if limit is not None
            else "What shuffled labels would reach was not recorded, so no cell can be called significant."
        )
        out.append(figure(
            figures.heat_map(found["readable"], sites, stations, f"What can be read{asked}", limit, place=place),
            "Share of bits that a code of the expert’s formula saves at each layer and place: 1 is free to read, 0 no "
            "better than a coin. " + known + chance,
        ))  # fmt: skip
    else:
        why = why_not(score, "encodes", "")
        out.append(missing(f"What can be read where: {why}" if why else "What can be read where was not recorded."))
    if found.get("used"):
        out.append(figure(
            figures.heat_map(found["used"], sites, stations, f"What is used{about}", colour="#a8326b", place=place),
            f"Share of the difference in {controlled} between two twin worlds that is carried over when the latent of "
            "this layer is swapped at this place alone: 1 means all of it, 0 none, above 1 more than all. Hatched: not "
            f"defined there, because the twins {alike} or the place was not reached. Readable but not used means: "
            "encoded, but no part of the decision.",
        ))  # fmt: skip
    else:
        why = why_not(score, "uses", "")
        out.append(missing(f"What is used where: {why}" if why else "What is used where was not recorded."))
    return section(title, intro, *out)


def _sites_said(sites: Sequence[str]) -> str:
    """What the known sites are, in a sentence."""
    known = "; ".join(f"{site}: {_SITES[site]}" for site in sites if site in _SITES)
    return f"{known[0].upper()}{known[1:]}. " if known else ""


def _held(
    score: Mapping[str, Any], held: Mapping[str, Any], sites: Sequence[str], stations: Sequence[float], place: str
) -> str:
    """The maps of every premise and of the conclusion."""
    formula, names = str(held.get("conclusion")), [str(v) for v in held["variables"]]
    if len(names) > 1:  # a sole premise is the conclusion
        titles = [f"premise: {n}" for n in names[:-1]] + [f"conclusion: {formula}"]
    else:
        titles = [f"premise and conclusion: {formula}"]
    caption = (
        "What the network encodes where and when. Numbers: share of bits that a code of this fact saves, knowing the "
        "latent of this layer at this place; 1 is free to read, 0 no better than a coin. "
        + _sites_said(sites)
        + f"Coloured: it saves more than {number(held.get('threshold'))}, which labels shuffled across episodes reach "
        "on all these maps together in one case of twenty at most. Outlined: it saves clearly more than from the same "
        "layer of an untrained network, too; that is tested for all cells together, over episodes. Orange: the "
        "evidence is in view, as the fact can be read from the picture of this moment alone. "
    )
    until = held.get("until")
    if until is not None and until < stations[-1]:
        caption += f"Pale: beyond {until:g} m the path that is driven reveals the conclusion by itself.".replace(
            "-", "−"
        )
    return figure(figures.held_maps(held, sites, stations, titles, place), caption)
