"""One DAgger pass: learner and expert share control, and the expert labels every visited state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dagger.algorithms.base import BetaSchedule, Gate, GateInput
from dagger.algorithms.registry import beta as beta_of
from dagger.algorithms.registry import gate_named
from dagger.training.demonstrations import Demonstration, packed
from dagger.training.perturbation import Offsets, Perturbation
from dagger.training.takeover import takeovers
from policies.base import Policy
from policies.expert.expert import Expert
from sim.datatypes.action import Action
from sim.datatypes.episode import Episode
from sim.world.backend import Backend
from sim.world.rollout import DYNAMIC_FIELDS, PrivilegedInput, Trajectory, in_chunks, observe_for, rollout


@dataclass
class InteractionCollector:
    """A policy in which a gate decides at every tick who drives, and which records the actions of expert and learner.

    Args:
        expert: gives the labels.
        learner: may be None while beta is 1.
        backend: in which it drives (the learner needs its camera).
        gate: decides who drives; beta: the expert's share of control; schedule: settings of the gate's segments.
        seeds: (B,) int, one per world: random draws use the world's own seed, so they do not depend on its neighbours.
        offsets: perturb what the expert executes, None for none; its labels are unperturbed.
    """

    expert: Expert
    learner: Policy | None
    backend: Backend
    gate: Gate
    beta: float
    schedule: BetaSchedule
    seeds: np.ndarray
    offsets: Offsets | None = None
    needs: str = "state"
    log: list[dict[str, Any]] = field(default_factory=list)

    def begin(self, worlds: int) -> Any:
        """The learner's memory, or an empty one."""
        self.gate.begin(self.seeds, self.schedule)
        self._perturbation = (
            None if self.offsets is None else Perturbation(self.offsets, self.seeds, self.backend.simulation.tick)
        )
        self._minds = self.expert.begin(worlds)  # the expert is evaluated in every state, also while the learner drives
        return self.learner.begin(worlds) if self.learner is not None else np.zeros((worlds, 0), np.float32)

    def act(self, seen: PrivilegedInput, memory: Any) -> tuple[Action, Any]:
        """The action to execute in each slot: the expert's or the learner's."""
        label = self.expert.label(seen, self._minds[seen.slots])
        self._minds[seen.slots] = label.memory
        executed = label.action
        if self._perturbation is not None:
            executed = self._perturbation.apply(executed, seen.slots, seen.world.speed[:, 0], len(self.log))
        if self.learner is None:
            by_expert = np.ones(len(seen.slots), bool)
            action = executed
        else:
            proposal, memory = self.learner.act(observe_for(self.backend, self.learner.needs, seen.slots), memory)
            now = GateInput(seen.slots, len(self.log), self.backend.simulation.tick, self.beta, label, proposal)
            # While its label is invalid, the expert does not drive.
            by_expert = self.gate.expert_drives(now) & label.valid
            action = executed.where(by_expert, proposal)
        entry = {"slots": seen.slots, "label": label, "by_expert": by_expert, "weather": seen.world.weather}
        if not self.backend.can_rerender:
            entry["frames"] = [packed(picture) for picture in self.backend.observe(seen.slots).camera]
        self.log.append(entry)
        return action, memory

    def labelled(self) -> np.ndarray:
        """(B, T) bool: whether the expert's label was valid, up to now."""
        found = np.zeros((len(self.seeds), len(self.log)), bool)
        for tick, entry in enumerate(self.log):
            found[entry["slots"], tick] = entry["label"].valid
        return found


def collect(
    backend: Backend,
    expert: Expert,
    learner: Policy | None,
    episodes: Sequence[Episode],
    schedule: BetaSchedule,
    round_: int,
    driver: str,
    policy_version: str = "",
    versions: dict[str, str] | None = None,
    on_done: Callable[[float], None] | None = None,
    offsets: Offsets | None = None,
    takeovers_each: int = 0,
    gate: str = "mixture",
) -> list[Demonstration]:
    """Roll out `episodes` with mixed control; returns them with the expert's labels and its facts at every tick.

    Args:
        offsets: with which the expert's driving is perturbed, None for none.
        takeovers_each: number of ticks, in each drive of a learner, from which the expert takes over in another
            rollout, so that its own future from there is known; none where pictures cannot be redrawn.
        gate: name of the gate that decides who drives, where there is a learner.
        on_done: called with the number of episodes in a finished batch.
    """
    beta = beta_of(schedule, round_)
    found: list[Demonstration] = []
    for chunk in in_chunks(episodes, backend.worlds):
        padded = [*chunk, *[chunk[-1]] * (backend.worlds - len(chunk))]
        seeds = np.array([e.seed for e in padded])
        mixed = InteractionCollector(expert, learner, backend, gate_named(gate), beta, schedule, seeds, offsets)
        trajectory = rollout(backend, mixed, padded)
        tries = None
        if learner is not None and takeovers_each and backend.can_rerender:
            tries = takeovers(backend, expert, trajectory, mixed.labelled(), takeovers_each)
        for w, episode in enumerate(chunk):
            found.append(
                Demonstration(
                    episode=episode,
                    driver=driver,
                    round=round_,
                    policy_version=policy_version,
                    map_sha256=backend.maps.maps[backend.world.map[w]].digest,
                    outcome=int(trajectory.outcome[w]),
                    shown_decision=int(trajectory.shown_decision[w]),
                    versions={**(versions or {}), **backend.versions},
                    camera=None if backend.can_rerender else backend.camera,
                    takeovers=() if tries is None else tries[w],
                    **_by_tick(mixed, trajectory, w),
                )
            )
        if on_done is not None:
            on_done(len(chunk))
    return found


def _by_tick(mixed: InteractionCollector, trajectory: Trajectory, w: int) -> dict[str, Any]:
    """The fields of a `Demonstration` that run over the ticks of world w."""
    ticks = int(trajectory.ticks[w])
    rows = [(entry, int(np.searchsorted(entry["slots"], w))) for entry in mixed.log[:ticks]]
    labels = [(entry["label"], i) for entry, i in rows]
    return {
        "moving": {name: trajectory.moving[name][w, :ticks] for name in DYNAMIC_FIELDS},
        "weather": np.stack([entry["weather"][i] for entry, i in rows]),
        "ticks": {
            "executed_steer": trajectory.steer[w, :ticks],
            "executed_acceleration": trajectory.acceleration[w, :ticks],
            "expert_steer": np.array([label.action.steer[i] for label, i in labels], np.float32),
            "expert_acceleration": np.array([label.action.acceleration[i] for label, i in labels], np.float32),
            "expert_used": np.array([entry["by_expert"][i] for entry, i in rows], bool),
            "valid": np.array([label.valid[i] for label, i in labels], bool),
            "beta": np.full(ticks, mixed.beta, np.float32),
            "decision": np.array([label.decision[i] for label, i in labels], np.int8),
            **_more(mixed.expert, trajectory, w, rows),
        },
        "propositions": {
            name: np.array([label.facts[name][i] for label, i in labels], bool) for name in labels[0][0].facts
        },
        "frames": () if mixed.backend.can_rerender else tuple(entry["frames"][i] for entry, i in rows),
    }


def _more(expert: Expert, trajectory: Trajectory, w: int, rows: list[tuple[dict[str, Any], int]]) -> dict[str, Any]:
    """Per-tick fields of world w that only some scenarios have: the expert's driver state, and the gears."""
    found = {}
    if expert.has_driver_state:
        found["driver_state"] = np.array([e["label"].driver_state[i] for e, i in rows], np.float32)
    if trajectory.reverse is not None:
        found["executed_reverse"] = trajectory.reverse[w, : len(rows)]
        gears = [e["label"].action.reverse for e, _ in rows]
        found["expert_reverse"] = np.array([False if g is None else g[i] for g, (_, i) in zip(gears, rows)], bool)
    return found
