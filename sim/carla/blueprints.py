"""Blueprints: the id of a kind of actor, its attributes, and their encoding on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BOOL, INT, FLOAT, STRING, COLOUR = 1, 2, 3, 4, 5  # CARLA's ActorAttributeType


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint.

    Args:
        id: its name. type: BOOL, INT, FLOAT, STRING or COLOUR. value: the default, as text.
        recommended: values that CARLA recommends. modifiable: whether a client may set it.
    """

    id: str
    type: int
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True

    def packed(self) -> list[Any]:
        """Return its encoding on the wire."""
        return [self.id, self.type, self.value, list(self.recommended or (self.value,)), self.modifiable, False]


@dataclass(frozen=True)
class Blueprint:
    """One kind of actor.

    Args:
        id: CARLA's. body: one of `sim.actors.registry.BODIES`, "sign" for a board, "" for a blueprint without a body.
        attributes: in their order on the wire.
    """

    id: str
    body: str = ""
    attributes: tuple[Attribute, ...] = ()

    def packed(self, number: int) -> list[Any]:
        """Return its encoding as an ActorDefinition."""
        return [number, self.id, ",".join(self.id.split(".")), [a.packed() for a in self.attributes]]
