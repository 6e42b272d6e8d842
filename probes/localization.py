"""Localization map: the sites and stations at which the policy represents each premise and the conclusion.

A variable counts as *readable* at a site and station if its code saves more bits than codes of labels shuffled across
episodes save anywhere on the map: one threshold for all tests together. It counts as *held* (represented) if the code
is also shorter than that from the same site of the untrained network. This is tested too, paired over episodes, with
one threshold for all tests together.

A premise is *visible* at a station if it is readable from a site before the memory, whose activations depend on that
tick alone. The untrained network's encoder counts as well, so visibility does not depend on training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from policies.sites import IntervenablePolicy
from probes.applicability import premises
from probes.mdl import common_size, matched, online_codelength
from probes.trace import Trace
from scenarios.sampling.sample import valuation
from scenarios.scenario import Scenario
from sim.datatypes.episode import Episode

MAP_BLOCKS = (0.12, 0.25, 0.5, 1.0)  # coarser than for ranking: a map is many codes of many labellings each
LEVEL = 20  # one in this many maps of shuffled labels may reach the threshold somewhere
LEAST_LABELLINGS = 39  # least number of shuffled labellings
FLIPS = 1000  # sign flips of episodes, for the threshold of the gain over the untrained network
CONCLUSION = "the conclusion"


@dataclass(frozen=True)
class Held:
    """The localization map: which variables are represented at which sites and stations.

    Args:
        variables: (V,) the premises, and last the conclusion; a rule of one premise has the conclusion only, since
            it is the premise or its negation.
        sites: in order of computation; stations: [m] from the junction's edge.
        saved: (V, sites, stations) share of the uniform code that is saved; 1 for a free code, below 0 for one worse
            than guessing.
        untrained: the same from the untrained network; nan at sites that it does not have.
        threshold: the saving that shuffled labels exceed somewhere on such a map in at most 1 of LEVEL draws.
        held: (V, sites, stations) bool: above the threshold, and better than untrained.
        visible: (V, stations) bool; always False for the conclusion of several premises.
        until: the last station [m] before drives show their decision; after it, ego's route reveals the conclusion.
        what: the conclusion, as a formula.
    """

    variables: tuple[str, ...]
    sites: tuple[str, ...]
    stations: tuple[float, ...]
    saved: np.ndarray
    untrained: np.ndarray
    threshold: float
    held: np.ndarray
    visible: np.ndarray
    until: float
    what: str

    @property
    def conclusion(self) -> np.ndarray:
        """(sites, stations) share of the uniform code saved for the conclusion."""
        return np.asarray(self.saved[-1])

    def stretch(self, variable: str, site: str) -> tuple[float, float] | None:
        """First and last station [m], up to `until`, at which a site represents a variable; None if it never does."""
        return self._span(self.held, variable, site)

    def _span(self, table: np.ndarray, variable: str, site: str) -> tuple[float, float] | None:
        if variable not in self.variables or site not in self.sites:
            return None
        row = table[self.variables.index(variable), self.sites.index(site)]
        found = [s for s, there in zip(self.stations, row) if there and s <= self.until]
        return (found[0], found[-1]) if found else None

    def window(self, variable: str, sites: Sequence[str]) -> tuple[float, float] | None:
        """Stretch [m] in which any of the sites represents a variable, open at the map's ends, or None."""
        spans = [span for site in sites if (span := self.stretch(variable, site))]
        if not spans:
            return None
        low, high = min(s[0] for s in spans), max(s[1] for s in spans)
        later = [s for s in self.stations if high < s <= self.until]
        return -np.inf if low == self.stations[0] else low, later[0] if later else np.inf

    def summary(self) -> dict[str, str]:
        """Variable -> text of the sites and stations that represent it; if none, where it is readable."""
        words = {}
        for variable in self.variables:
            words[variable] = self._places(self.held, variable)
            if not words[variable] and (read := self._places(self.saved > self.threshold, variable)):
                words[variable] = f"nowhere; it can be read at {read}, but no better than from the untrained network"
        return {v: said or "nowhere" for v, said in words.items()}

    def _places(self, table: np.ndarray, variable: str) -> str:
        found = [(site, span) for site in self.sites if (span := self._span(table, variable, site))]
        return ", ".join(f"{site} ({_metres(*span)})" for site, span in found)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        untrained = [[[None if np.isnan(v) else float(v) for v in row] for row in rows] for rows in self.untrained]
        return {
            "variables": list(self.variables), "conclusion": self.what, "threshold": self.threshold,
            "saved": self.saved.tolist(), "held": self.held.tolist(), "visible": self.visible.tolist(),
            "until": self.until,
            "untrained": untrained,
        }  # fmt: skip


def _metres(first: float, last: float) -> str:
    return f"at {first:+g} m" if first == last else f"{first:+g} to {last:+g} m"


def window_text(low: float, high: float) -> str:
    """A window as text."""
    if np.isinf(low) and np.isinf(high):
        return "all the way"
    return (
        f"until {high:+g} m" if np.isinf(low) else f"from {low:+g} m" + ("" if np.isinf(high) else f" to {high:+g} m")
    )


def variables_of(
    scenario: Scenario, episodes: Sequence[Episode], truth: np.ndarray, name: str
) -> dict[str, np.ndarray]:
    """Premises and conclusion with their truth in every episode (n,) bool; a single premise is the conclusion.

    Args:
        truth: (n,) of the conclusion; name: its formula.
    """
    known = premises(scenario)
    if len(known) < 2:
        return {name: truth}
    values = [valuation(scenario, e) for e in episodes]
    return {p: np.array([v[p] for v in values], bool) for p in known} | {CONCLUSION: truth}


def held_map(
    policy: IntervenablePolicy, scenario: Scenario, episodes: Sequence[Episode], trace: Trace, truth: np.ndarray,
    name: str, seed: int, passenger: str = "untrained",
) -> Held:  # fmt: skip
    """Compute the localization map: code every variable at every site and station, with both controls.

    Args:
        trace: of the same episodes, with the untrained network as passenger.
        truth: (n,) bool of the conclusion; name: its formula.

    Raises:
        ValueError: for a variable that is (nearly) constant.
    """
    labels = variables_of(scenario, episodes, truth, name)
    rng = np.random.default_rng([seed, 3])
    size = common_size(labels)
    rows = {v: matched(y, size, rng) for v, y in labels.items()}
    order = rng.permutation(size)
    balanced = np.arange(size) < size // 2
    count = max(LEAST_LABELLINGS, LEVEL * len(labels) - 1)
    shuffled = rng.permuted(np.repeat(balanced[:, None], count, 1), axis=0)
    sites, stations = tuple(policy.sites), trace.stations
    saved = np.zeros((len(labels), len(sites), len(stations)))
    untrained = np.full(saved.shape, np.nan)
    gains = np.zeros((*saved.shape, len(truth)))  # per episode, 0 where it was not coded
    chance = np.full(count, -np.inf)
    for v, (variable, y) in enumerate(labels.items()):
        chosen = rows[variable]
        for i, site in enumerate(sites):
            for k in range(len(stations)):
                # Shuffled labels are alike for all variables: one set, on the last one's rows, suffices.
                extra = shuffled if v == len(labels) - 1 else shuffled[:, :0]
                code = _code(trace.latents[site][chosen, k], np.concatenate([y[chosen, None], extra], 1), order)
                saved[v, i, k] = 1 - code[:, 0].mean()
                chance = np.maximum(chance, 1 - code[:, 1:].mean(0)) if extra.shape[1] else chance
                if (other := f"{passenger}:{site}") in trace.latents:
                    blank = _code(trace.latents[other][chosen, k], y[chosen, None], order)[:, 0]
                    untrained[v, i, k] = 1 - blank.mean()
                    gains[v, i, k, chosen] = blank - code[:, 0]
    threshold = _threshold(chance, len(labels))
    better = np.isnan(untrained) | _significant(gains, rng)
    visible = _visible(policy, trace, labels, rows, order, saved, threshold, passenger)
    return Held(
        tuple(labels), sites, tuple(float(s) for s in stations), saved, untrained, threshold,
        (saved > threshold) & better, visible, trace.undecided_at or float(stations[0]), name,
    )  # fmt: skip


def _code(x: np.ndarray, y: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n, L) bits per episode."""
    return online_codelength(x, y, blocks=MAP_BLOCKS, order=order).per_episode


def _threshold(chance: np.ndarray, variables: int) -> float:
    """The value that the largest of `variables` maps exceeds in at most 1 of LEVEL draws, from map maxima (L,).

    Each variable gets its share of the error (Bonferroni): 1 in LEVEL * variables, or 1 in L + 1 where L is fewer.
    """
    rank = max(1, (len(chance) + 1) // (LEVEL * variables))
    return float(np.sort(chance)[-rank])


def _significant(gains: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Test whether mean gains (..., n) are above 0, at 5 % for all together (max-statistic of sign flips)."""
    flat = gains.reshape(-1, gains.shape[-1])
    coded = (flat != 0).sum(1)
    mean = flat.sum(1) / np.maximum(coded, 1)
    terms = np.where(flat != 0, flat - mean[:, None], 0.0)
    error = np.sqrt((terms**2).sum(1))
    usable = (coded > 1) & (error > 0)
    z = np.where(usable, flat.sum(1) / np.where(usable, error, 1.0), -np.inf)
    if not usable.any():
        return np.zeros(gains.shape[:-1], bool)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(FLIPS, flat.shape[1]))
    chance = (signs @ (terms[usable] / error[usable, None]).T).max(1)
    return np.asarray((z > np.quantile(chance, 1 - 1 / LEVEL)).reshape(gains.shape[:-1]))


def _visible(
    policy: IntervenablePolicy, trace: Trace, labels: Mapping[str, np.ndarray], rows: Mapping[str, np.ndarray],
    order: np.ndarray, saved: np.ndarray, threshold: float, passenger: str,
) -> np.ndarray:  # fmt: skip
    """(V, stations) bool: whether a premise is readable before the memory, so from this tick's input alone."""
    sites = list(policy.sites)
    before = sites[: sites.index(policy.recurrent_sites[0])] if policy.recurrent_sites else sites[:1]
    found = np.zeros((saved.shape[0], saved.shape[2]), bool)
    blank = next((s for s in trace.latents if s.startswith(f"{passenger}:")), None)
    for v, (variable, y) in enumerate(labels.items()):
        if variable == CONCLUSION:
            continue
        for site in before:
            found[v] |= saved[v, sites.index(site)] > threshold
        if blank is not None:  # the first site of an untrained network is before its memory
            for k in range(saved.shape[2]):
                bits = _code(trace.latents[blank][rows[variable], k], y[rows[variable], None], order)
                found[v, k] |= bool(1 - bits.mean() > threshold)
    return found
