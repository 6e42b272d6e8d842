"""What every driver is: something that acts on what it is shown, carrying a memory from tick to tick."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from sim.datatypes.action import Action


@runtime_checkable
class Policy(Protocol):
    """Acts for S slots at a time.

    `needs` is "camera" (it is given a `sim.datatypes.action.Observation`) or "state" (a
    `sim.world.rollout.PrivilegedInput`; for experts,
    baselines and planted minds).  Memory is an array or tensor whose first axis is the slot, so that a rollout can
    pick the slots that still run.
    """

    needs: str

    def begin(self, worlds: int) -> Any:
        """Memory for so many fresh episodes, first axis `worlds`."""

    def act(self, seen: Any, memory: Any) -> tuple[Action, Any]:
        """Action (S,) for what is seen in S slots, and their memory afterwards."""
