"""The policy interface: observation and memory in, action and memory out."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from sim.datatypes.action import Action


@runtime_checkable
class Policy(Protocol):
    """A driving policy that acts for S slots at a time.

    `needs` is "camera" (its input is a `sim.datatypes.action.Observation`) or "state" (a
    `sim.world.rollout.PrivilegedInput`; for experts, baselines and planted models).  Memory is an array or tensor whose
    first axis is the slot, so that a rollout can select the slots that still run.
    """

    needs: str

    def begin(self, worlds: int) -> Any:
        """Return the initial memory of `worlds` episodes, first axis `worlds`."""

    def act(self, seen: Any, memory: Any) -> tuple[Action, Any]:
        """Return the action (S,) for the inputs of S slots, and their next memory."""
