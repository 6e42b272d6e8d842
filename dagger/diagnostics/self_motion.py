"""Self-motion check: how well ego's own motion up to each moment predicts the coming decision.

An expert's own motion reveals its decision: it brakes for the bend that it will take before it turns the wheel. A
network that is trained on such drives may read its own speed instead of the scene (copycat, causal confusion: de Haan,
Jayaraman, Levine 2019), which is right while the expert drives and wrong once the network does. This is a diagnosis and
fails nothing: every sane driver brakes for a bend.

From ego's speed, turn since the start, and executed pedal and steering up to a time, trees predict the rule's decision
of drives that they were not trained on. Ego's position and surroundings are no inputs. All drives are compared at one
time after their start, and only those that have not yet shown their decision (`dagger.diagnostics.replay`): then all
have motion of the same length, and neither padding nor length reveals anything. Chance is the share of the commonest
decision among those that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dagger.algorithms.base import BetaSchedule
from dagger.diagnostics.replay import Watched, watch
from dagger.training.collect import collect
from dagger.training.demonstrations import Demonstration
from policies.expert.expert import Expert
from scenarios.checks.leak_check import ALPHA
from scenarios.rules.ast import names
from scenarios.sampling.sample import balanced_batch, decision, slots_needed
from scenarios.scenario import ALL_EPISODES, Scenario
from sim.core.statistics import wilson_interval
from sim.datatypes.simulation import Simulation
from sim.world.context import RunContext

DRIVES = 800  # episodes of a scenario whose time limit is at most SHORT
SHORT = 20.0  # [s]; a longer time limit lowers the number of episodes in proportion, down to LEAST
LEAST = 200  # episodes
STEP = 0.5  # [s] between the tested times, if these are at most MOMENTS
MOMENTS = 16  # most tested times
AHEAD = 1.0  # [s] before its own sign, or up to twice that, at which every drive is tested once
ALIKE = 0.95  # share of one decision above which there is nothing to predict
FEW = 60  # fewest drives left for a test
LEFT = 0.2  # smallest share of drives left for a test
TICK = Simulation().tick  # [s]
_SPREAD, _RECENT, _EVERY = 12, 20, 4  # samples over the whole past; ticks of the near past, and one in how many of them
FOLDS, TREES, LEAF = 5, 50, 3
_LEVELS = (5, 50, 95)  # percentiles

Range = tuple[float, float, float]  # 5th, 50th, 95th percentile [s]


@dataclass(frozen=True)
class Moment:
    """How well own motion predicts the decision at one time.

    Args:
        time: after the start [s].
        drives: number that have not shown their decision yet.
        chance: share of the commonest decision among them.
        accuracy: share of right predictions, each by trees that were trained on other drives.
        p_value: of that many right predictions by chance (one-sided binomial).
    """

    time: float
    drives: int
    chance: float
    accuracy: float
    p_value: float

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the accuracy."""
        return wilson_interval(round(self.accuracy * self.drives), self.drives)


@dataclass(frozen=True)
class Curve:
    """How well own motion predicts the decision over time.

    Args:
        moments: tested times, the earliest first; it ends where few drives are left.
        ahead: every drive at the last of these times that lies AHEAD before its own sign, and no longer before it than
            twice that; its `time` is the median of these. None if no drive has such a time, or nearly all that have one
            decide alike (ALIKE).
        lead: median over the drives of the time from the first predictive moment to their sign [s]; None if there is
            none.
    """

    moments: tuple[Moment, ...]
    ahead: Moment | None
    lead: float | None

    @property
    def first(self) -> Moment | None:
        """The first moment that predicts better than chance (Bonferroni over all moments)."""
        return first_informative(self.moments)


@dataclass(frozen=True)
class Evidence:
    """When one proposition of the rule was in sight, over the drives in which it was before their sign.

    Args:
        share: of the drives in which it was.
        known: from when the expert knew its truth for good [s]; of drives in which it came out true, as what was not
            seen counts as false.
        last: when it was last in sight before the sign [s].
    """

    share: float
    known: Range
    last: Range


@dataclass(frozen=True)
class SelfMotion:
    """The self-motion check of one scenario's demonstrations.

    Args:
        scenario: its name.
        drives: number of demonstrations.
        curve: how well own motion predicts the decision.
        sign, read: when the decision first shows, and when the world has read it; see `dagger.diagnostics.replay`.
        evidence: proposition of the rule -> when it was in sight; without those that never were.
        own: propositions of the rule that show in ego's own motion alone, as a driver state does: these own motion may
            predict.
    """

    scenario: str
    drives: int
    curve: Curve
    sign: Range
    read: Range
    evidence: dict[str, Evidence]
    own: tuple[str, ...] = ()

    @property
    def early(self) -> Moment | None:
        """The last moment that lies AHEAD before the first drives (5 %) show their decision; None if there is none."""
        return next((m for m in reversed(self.curve.moments) if m.time <= self.sign[0] - AHEAD + 1e-6), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, rounded: seconds to hundredths, shares to thousandths."""
        moments, first = self.curve.moments, self.curve.first
        return {
            "drives": self.drives,
            "time": [round(m.time, 2) for m in moments], "left": [m.drives for m in moments],
            "chance": [round(m.chance, 3) for m in moments], "accuracy": [round(m.accuracy, 3) for m in moments],
            "p": [float(f"{m.p_value:.2g}") for m in moments],
            "first": None if first is None else round(first.time, 2),
            "lead": None if self.curve.lead is None else round(self.curve.lead, 2),
            "early": _told(self.early), "ahead": _told(self.curve.ahead), "own": list(self.own),
            "sign": _rounded(self.sign), "read": _rounded(self.read),
            "evidence": {
                name: {"share": round(e.share, 3), "known": _rounded(e.known), "last": _rounded(e.last)}
                for name, e in self.evidence.items()
            },
        }  # fmt: skip


def check_self_motion(
    scenario: Scenario,
    demonstrations: Sequence[Demonstration] | None = None,
    drives: int | None = None,
    seed: int = 0,
    split: str = ALL_EPISODES,
    context: RunContext | None = None,
    on_done: Callable[[float], None] | None = None,
) -> SelfMotion:
    """Measure how well own motion predicts the decision in a scenario's demonstrations.

    Args:
        demonstrations: of the scenario, by the expert, as a run has them (perturbed or not); by default new ones are
            driven.
        drives: number of new ones; `drives_of` by default.
        seed: of the first new episode, and of the trees.
        split: of new episodes.
        context: where the worlds run; by default `RunContext()`.
        on_done: called with shares of the work that are done; they sum to one.

    Raises:
        ValueError: for fewer demonstrations than FEW, and for those of another scenario.
        FileNotFoundError: if the scenario's map is missing.
    """
    say, context = on_done or (lambda share: None), context or RunContext()
    if demonstrations is None:
        count = drives_of(scenario) if drives is None else drives
        episodes = balanced_batch(scenario, range(seed, seed + count), split)
        with context.backend(context.at_once(count), None, slots_needed(scenario)) as backend:
            demonstrations = collect(
                backend, Expert.of(scenario), None, episodes, BetaSchedule(), 0, "expert",
                on_done=lambda n: say(0.4 * n / count),
            )  # fmt: skip
    else:
        say(0.4)
    if len(demonstrations) < FEW:
        raise ValueError(f"{len(demonstrations)} demonstrations are too few to tell; wanted at least {FEW}")
    if other := next((d.episode.scenario for d in demonstrations if d.episode.scenario != scenario.name), ""):
        raise ValueError(f"a demonstration is of '{other}'; wanted those of '{scenario.name}'")
    n = len(demonstrations)
    watched = watch(scenario, demonstrations, context, on_done=lambda m: say(0.3 * m / n))
    answers = np.array([decision(scenario, d.episode) for d in demonstrations])
    motions = [motion_of(d) for d in demonstrations]
    signs = np.array([w.sign for w in watched])
    curve = curve_of(motions, answers, signs, seed, lambda share: say(0.3 * share))
    reads = np.array([w.read for w in watched])
    return SelfMotion(scenario.name, n, curve, _range(signs), _range(reads), _evidence(watched), own_to(scenario))


def own_to(scenario: Scenario) -> tuple[str, ...]:
    """The propositions of the rule that show in ego's own motion alone: those about the driver state."""
    asked = (scenario.proposition(name) for name in sorted(names(scenario.rule)))
    return tuple(p.name for p in asked if all(v.startswith("driver_state.") for v in p.variables))


def drives_of(scenario: Scenario) -> int:
    """The number of drives that the check takes of a scenario."""
    return max(LEAST, round(DRIVES * min(1.0, SHORT / scenario.time_limit)))


def motion_of(d: Demonstration) -> np.ndarray:
    """Ego's own motion, as ego can know it at every tick.

    Returns:
        (T, 4) float32: speed [m/s] and turn since the start [rad] at the tick, acceleration [m/s^2] and wheel angle
        [rad] executed in the tick before (0 at first).
    """
    turn = np.unwrap(d.moving["yaw"][:, 0].astype(np.float64))
    before = [np.concatenate([[0.0], d.ticks[f"executed_{what}"][:-1]]) for what in ("acceleration", "steer")]
    return np.column_stack([d.moving["speed"][:, 0], turn - turn[0], *before]).astype(np.float32)


# --------------------------------------------------------------------------------------------------- the curve
def curve_of(
    motions: Sequence[np.ndarray],
    answers: np.ndarray,
    signs: np.ndarray,
    seed: int = 0,
    on_done: Callable[[float], None] = lambda share: None,
) -> Curve:
    """How well motions predict the answers over time.

    Args:
        motions: n arrays (T, K), each of its own T.
        answers: (n,) int.
        signs: (n,) int, the tick at which each drive shows its answer: its motion from there on is not used.
        seed: of folds and trees.
        on_done: called with shares of the work.
    """
    n = len(answers)
    signs = np.minimum(signs, [len(m) for m in motions])
    ticks = probed_ticks(signs)
    moments: list[Moment] = []
    aside = np.full(n, -1)  # the moment at which each drive is tested AHEAD of its own sign
    hits, common = np.zeros((len(ticks), n), bool), np.zeros((len(ticks), n), bool)
    for k, tick in enumerate(ticks):
        left = np.flatnonzero(signs > tick)
        values, counts = np.unique(answers[left], return_counts=True)
        if len(left) < max(FEW, LEFT * n) or len(values) < 2:
            break
        rows = np.stack([motions[int(i)][samples(int(tick))].ravel() for i in left])
        hits[k, left] = predictions(rows, answers[left], seed) == answers[left]
        common[k, left] = answers[left] == values[counts.argmax()]
        moments.append(_moment(tick * TICK, hits[k, left], common[k, left]))
        to_sign = (signs - tick) * TICK
        aside[to_sign > AHEAD - 1e-6] = np.where(to_sign < 2 * AHEAD + 1e-6, k, -1)[to_sign > AHEAD - 1e-6]
        on_done(1.0 / len(ticks))
    on_done(1.0 - len(moments) / len(ticks))
    asked = np.flatnonzero(aside >= 0)
    ahead = None
    if len(asked):
        ks = aside[asked]
        ahead = _moment(float(np.median(ticks[ks])) * TICK, hits[ks, asked], common[ks, asked], answers[asked])
        ahead = ahead if ahead.chance <= ALIKE else None
    first, lead = first_informative(moments), None
    if first is not None:
        later = signs[signs * TICK > first.time] * TICK
        lead = float(np.median(later - first.time))
    return Curve(tuple(moments), ahead, lead)


def probed_ticks(signs: np.ndarray) -> np.ndarray:
    """The tested ticks, from 0 to where few drives are left.

    Every STEP; of long drives half of MOMENTS evenly and half of them where the most drives are AHEAD of their sign.
    That depends on all signs (n,) together and reveals nothing of a single drive.
    """
    horizon, step = max(float(np.quantile(signs, 1.0 - LEFT)), 1.0), round(STEP / TICK)
    if horizon <= step * MOMENTS:
        return np.arange(0, horizon, step).astype(int)
    half = MOMENTS // 2
    close = np.quantile(signs - AHEAD / TICK, np.linspace(0.02, 1.0 - LEFT, half), method="lower")
    found = np.concatenate([np.linspace(0, horizon, half, endpoint=False), close])
    return np.unique(np.floor(np.maximum(found, 0)).astype(int))


def samples(tick: int) -> np.ndarray:
    """The ticks up to and with `tick` whose motion is an input: spread over the past, and denser close to `tick`."""
    spread = np.linspace(0, tick, min(_SPREAD, tick + 1)).round().astype(int)
    return np.unique(np.concatenate([spread, np.arange(tick, max(tick - _RECENT, -1), -_EVERY)]))


def predictions(rows: np.ndarray, answers: np.ndarray, seed: int) -> np.ndarray:
    """(n,) answers predicted from rows (n, k), each by trees that were trained on other folds."""
    from sklearn.ensemble import ExtraTreesClassifier  # late: slow to import
    from sklearn.model_selection import KFold

    found = np.zeros_like(answers)
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(rows):
        # Extremely randomised trees: as good as boosted ones here and quicker.
        trees = ExtraTreesClassifier(TREES, max_features=None, min_samples_leaf=LEAF, random_state=seed)
        found[test] = trees.fit(rows[train], answers[train]).predict(rows[test])
    return found


def first_informative(moments: Sequence[Moment]) -> Moment | None:
    """The first moment that predicts better than chance (Bonferroni over all of them); None if there is none."""
    return next((m for m in moments if m.p_value * len(moments) < ALPHA), None)


def _moment(time: float, hits: np.ndarray, common: np.ndarray, answers: np.ndarray | None = None) -> Moment:
    """A moment from hits (n,) of the trees and `common` (n,), the hits of always naming the commonest answer.

    Args:
        answers: (n,) int; if given, chance is at least the share of the commonest of these.
    """
    from scipy.stats import binom

    n, chance = len(hits), float(common.mean())
    if answers is not None:  # some answers show later than others, so the commonest of a time may not be tested
        chance = max(chance, float(np.unique(answers, return_counts=True)[1].max() / n))
    return Moment(float(time), n, chance, float(hits.mean()), float(binom.sf(int(hits.sum()) - 1, n, chance)))


# --------------------------------------------------------------------------------------------------- the evidence
def _evidence(watched: Sequence[Watched]) -> dict[str, Evidence]:
    found = {}
    for name in watched[0].known:
        seen = [w for w in watched if w.known[name] >= 0]
        if seen:
            true = [w for w in seen if w.truth[name]] or seen
            known, last = (np.array(v) for v in ([w.known[name] for w in true], [w.last[name] for w in seen]))
            found[name] = Evidence(len(seen) / len(watched), _range(known), _range(last))
    return found


def _range(ticks: np.ndarray) -> Range:
    low, middle, high = (float(v) * TICK for v in np.percentile(ticks, _LEVELS))
    return low, middle, high


def _told(moment: Moment | None) -> dict[str, float] | None:
    if moment is None:
        return None
    shares = {"chance": round(moment.chance, 3), "accuracy": round(moment.accuracy, 3)}
    return {"time": round(moment.time, 2), "left": moment.drives, "p": float(f"{moment.p_value:.2g}"), **shares}


def _rounded(seconds: Range) -> list[float]:
    return [round(v, 2) for v in seconds]


# ------------------------------------------------------------------------------------------------------ in words
def in_short(found: Mapping[str, Any]) -> str:
    """From when own motion predicts the decision, and how long before it shows; `found`: `SelfMotion.to_dict`."""
    if found["first"] is None:
        return "tells nothing before the decision shows"
    since = f"tells from {found['first']:.1f} s" if found["first"] else "tells from the start"
    return f"{since}, {found['lead']:.1f} s before the decision shows"


def in_words(found: Mapping[str, Any]) -> str:
    """The whole finding in a sentence or two; `found`: `SelfMotion.to_dict`."""
    early, middle, late = found["sign"]
    shows = f"{in_short(found)}, at {middle:.1f} s ({early:.1f} to {late:.1f} s)"
    right = []
    if found["time"]:
        right.append(f"at the start {_share(found['accuracy'][0], found['chance'][0])}")
    if (told := found["early"]) is not None:
        when = f"at {told['time']:.1f} s, {AHEAD:g} s before the first drives show it,"
        right.append(f"{when} {_share(told['accuracy'], told['chance'])}")
    if (told := found["ahead"]) is not None:
        right.append(f"{AHEAD:g} s before each drive shows its own {_share(told['accuracy'], told['chance'])}")
    guessed = f"; guessed right in {found['drives']} drives: {', '.join(right)}" if right else ""
    seen = [
        f"{name} {e['known'][1]:.1f} to {e['last'][1]:.1f} s"
        + ("" if e["share"] > 0.99 else f" (in {100 * e['share']:.0f} % of drives)")
        for name, e in found["evidence"].items()
    ]
    evidence = f"; evidence known to last seen: {', '.join(seen)}" if seen else ""
    own = f"; own motion is where {', '.join(found['own'])} shows" if found["own"] else ""
    return shows + guessed + evidence + own


def _share(accuracy: float, chance: float) -> str:
    return f"{accuracy:.2f} ({chance:.2f} by chance)"
