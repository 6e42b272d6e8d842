"""The actor table: every actor with its description, its snapshot record and, if it has a body, its row."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.carla.server import wire

NO_ACTOR = 0  # no parent, or no such actor
NO_ROW = -1
_POLE = 1e-12  # distance of a sine from 1 that counts as straight up or down
REMEMBERED_DESTROYED = 4096  # destroyed actors whose boxes are kept: the Traffic Manager asks for them a moment later
NO_BOX = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0]


@dataclass
class Actor:
    """One actor.

    Args:
        id: never reused. type: blueprint id. attributes: name -> text. described: its ActorDescription on the wire.
        parent: id, NO_ACTOR for none. box: its BoundingBox on the wire, in the actor's own frame.
        tags: CityObjectLabels. stream: id of its measurements, 0 for none; token: of that stream, or nothing.
        body: name of its body; row: in `Bodies`, NO_ROW for an actor without a body.
        place: its transform on the wire: in the world, or relative to the parent.
        sensor: its sensor, or None.
        facts: values of its snapshot fields that no array holds.
    """

    id: int
    type: str
    attributes: dict[str, str]
    described: list[Any]
    parent: int = NO_ACTOR
    box: list[Any] = field(default_factory=lambda: list(NO_BOX))
    tags: bytes = b""
    stream: int = 0
    token: bytes = b""
    body: str = ""
    row: int = NO_ROW
    place: list[Any] = field(default_factory=lambda: [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    rigid: bool = True
    sensor: Any = None
    facts: dict[str, Any] = field(default_factory=dict)

    def packed(self) -> list[Any]:
        """Return its encoding as an Actor."""
        return [self.id, self.parent, self.described, self.box, self.tags, self.token]


def composed(outer: list[Any], inner: list[Any]) -> list[Any]:
    """Return the transform `inner`, relative to `outer`, in the frame that `outer` is in; all in wire encoding."""
    (x, y, z), (pitch, yaw, roll) = outer
    (a, b, c), (ipitch, iyaw, iroll) = inner
    if pitch == 0.0 and roll == 0.0:  # upright on the ground
        cos, sin = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
        return [[x + a * cos - b * sin, y + a * sin + b * cos, z + c], [ipitch, yaw + iyaw, iroll]]
    rotation = turned(outer[1]) @ turned(inner[1])
    offset = turned(outer[1]) @ np.array([a, b, c])
    return [[x + float(offset[0]), y + float(offset[1]), z + float(offset[2])], angles(rotation)]


def angles(axes: np.ndarray) -> list[float]:
    """Return pitch, yaw and roll [deg] of a matrix from `turned`; straight up and down the roll is part of the yaw."""
    sine = float(axes[2, 0])
    if abs(sine) > 1.0 - _POLE:
        up = -math.copysign(1.0, sine) * axes[:2, 2]
        return [math.copysign(90.0, sine), math.degrees(math.atan2(up[1], up[0])), 0.0]
    yaw, roll = math.atan2(axes[1, 0], axes[0, 0]), math.atan2(-axes[2, 1], axes[2, 2])
    return [math.degrees(math.asin(sine)), math.degrees(yaw), math.degrees(roll)]


def turned(rotation: list[float]) -> np.ndarray:
    """Return the (3, 3) matrix of a CARLA rotation (pitch, yaw, roll [deg]): columns are forward, right and up."""
    pitch, yaw, roll = (math.radians(a) for a in rotation)
    cp, sp, cy, sy, cr, sr = (f(a) for a in (pitch, yaw, roll) for f in (math.cos, math.sin))
    return np.array([
        [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr],
        [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr],
        [sp, -cp * sr, cp * cr],
    ])  # fmt: skip


class Table:
    """All actors, in the order of their spawning, and their records in the next snapshot.

    Attributes:
        records: (capacity, 119) uint8, of which the first `len(table)` rows count.
        graves: boxes of destroyed actors, by id.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, Actor] = {}
        self.index: dict[int, int] = {}  # id -> row of records
        self.records = np.zeros((64, wire.VEHICLE_RECORD.itemsize), np.uint8)
        self.destroyed_boxes: dict[int, list[Any]] = {}
        self.changes = 0  # counts spawned and destroyed actors, for callers that cache lists of rows

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, actor: Actor) -> None:
        """Add a spawned actor."""
        n = len(self.by_id)
        if n == len(self.records):
            self.records = np.concatenate([self.records, np.zeros_like(self.records)])
        self.by_id[actor.id], self.index[actor.id] = actor, n
        self.records[n] = 0
        self.vehicles["id"][n], self.vehicles["state"][n] = actor.id, wire.ACTIVE
        self.changes += 1

    def remove(self, actor: Actor) -> None:
        """Remove a destroyed actor; the records behind it move up."""
        n = self.index.pop(actor.id)
        del self.by_id[actor.id]
        self.records[n : len(self.by_id)] = self.records[n + 1 : len(self.by_id) + 1].copy()
        for other, i in self.index.items():
            if i > n:
                self.index[other] = i - 1
        self.destroyed_boxes[actor.id] = actor.box
        if len(self.destroyed_boxes) > REMEMBERED_DESTROYED:
            del self.destroyed_boxes[next(iter(self.destroyed_boxes))]
        self.changes += 1

    @property
    def vehicles(self) -> np.ndarray:
        """The records, by the field names of a vehicle."""
        return self.records.view(wire.VEHICLE_RECORD)[:, 0]

    @property
    def lights(self) -> np.ndarray:
        """The records, by the field names of a traffic light."""
        return self.records.view(wire.LIGHT_RECORD)[:, 0]

    @property
    def walkers(self) -> np.ndarray:
        """The records, by the field names of a walker."""
        return self.records.view(wire.WALKER_RECORD)[:, 0]

    def packed(self) -> bytes:
        """Return the encoding of the records."""
        return self.records[: len(self.by_id)].tobytes()
