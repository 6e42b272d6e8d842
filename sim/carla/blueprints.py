"""What a blueprint is: the id of a kind of actor, its attributes, and how both travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BOOL, INT, FLOAT, STRING, COLOUR = 1, 2, 3, 4, 5  # CARLA's ActorAttributeType


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint.

    Args:
        id: its name. type: BOOL, INT, FLOAT, STRING or COLOUR. value: by default, as text.
        recommended: values that CARLA proposes. modifiable: whether a client may set it.
    """

    id: str
    type: int
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True

    def packed(self) -> list[Any]:
        """As it travels."""
        return [self.id, self.type, self.value, list(self.recommended or (self.value,)), self.modifiable, False]


@dataclass(frozen=True)
class Blueprint:
    """One kind of actor.

    Args:
        id: CARLA's. body: one of `sim.actors.kinds.BODIES`, "sign" for a board, "" for what has no body.
        attributes: in the order in which they travel.
    """

    id: str
    body: str = ""
    attributes: tuple[Attribute, ...] = ()

    def packed(self, number: int) -> list[Any]:
        """As an ActorDefinition."""
        return [number, self.id, ",".join(self.id.split(".")), [a.packed() for a in self.attributes]]
