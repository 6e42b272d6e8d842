"""Signs, lights and speed limits of an OpenDRIVE map: their poses, and the lanes that they apply to.

The poses come from CARLA, the lanes from the OpenDRIVE standard: without a <validity> CARLA applies the orientation "+"
to lanes with positive ids, which is reversed on right-hand roads. So such signals are read according to the standard,
and so are signals that are valid for lanes of both directions.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.road.opendrive.carla_frame import ours_from_carla_transform
from sim.road.opendrive.reader import Lane

_TURNED = math.radians(60.0)  # a sign turned away from its traffic by more than this was placed without its orientation
_UNITS = {"mph": 0.44704, "km/h": 1.0 / 3.6, "m/s": 1.0, "": 1.0}


@dataclass(frozen=True)
class Landmark:
    """One sign or light.

    Args:
        id, type, subtype, value, unit, text: as in the file; type 1000001 is a light, 206 stop, 205 yield.
        pose: x, y [m] and yaw [rad] of the direction it faces, which is towards the traffic that it applies to.
        governs: (index of a lane, distance along it [m]) for every lane that it applies to, in order of the lanes.
    """

    id: str
    type: str
    subtype: str
    value: float
    unit: str
    text: str
    pose: tuple[float, float, float]
    governs: tuple[tuple[int, float], ...]


def landmarks_of(root: ET.Element, carla_map: Any, lanes: Sequence[Lane]) -> tuple[Landmark, ...]:
    """Every landmark of a map in CARLA's order, each once even if several roads refer to it."""
    said = {
        (int(str(road.get("id"))), element.get("id"))
        for road in root.iter("road")
        for element in road.findall("signals/*")
        if element.find("validity") is None and element.get("id")
    }
    by_road: dict[int, list[int]] = {}
    for i, lane in enumerate(lanes):
        by_road.setdefault(lane.road, []).append(i)
    seen: dict[str, Any] = {}
    governs: dict[str, dict[int, float]] = {}
    for mark in carla_map.get_all_landmarks():
        seen.setdefault(mark.id, mark)
        found = governs.setdefault(mark.id, {})
        for i in _lanes_for(mark, lanes, by_road.get(mark.road_id, ()), (mark.road_id, mark.id) in said):
            first, last = lanes[i].stations
            found[i] = min(max(abs(mark.s - first), 0.0), abs(last - first))
    return tuple(_landmark(mark, lanes, tuple(sorted(governs[key].items()))) for key, mark in seen.items())


def _lanes_for(mark: Any, lanes: Sequence[Lane], of_road: Sequence[int], everywhere: bool) -> list[int]:
    """The lanes of a road that a landmark applies to; `everywhere`: its validity is not restricted."""
    ranges = [(min(v), max(v)) for v in mark.get_lane_validities()]
    found = []
    for i in of_road:
        low, high = sorted(lanes[i].stations)
        here = lanes[i].drives and low - 0.01 <= mark.s <= high + 0.01
        if here and (everywhere or any(a <= lanes[i].lane <= b for a, b in ranges)):
            found.append(i)
    orientation = str(mark.orientation)
    with_s = [i for i in found if lanes[i].stations[0] < lanes[i].stations[1]]
    if orientation not in ("Positive", "Negative") or not with_s or (len(with_s) == len(found) and not everywhere):
        return found
    # Where it could apply to both directions, the orientation decides; lanes of one direction do not need it.
    return with_s if orientation == "Positive" else [i for i in found if i not in with_s]


def _landmark(mark: Any, lanes: Sequence[Lane], governs: tuple[tuple[int, float], ...]) -> Landmark:
    position, turn = ours_from_carla_transform(mark.transform)
    yaw = float(turn[2])
    if governs:
        lane, along = lanes[governs[0][0]], governs[0][1]
        inside = lane.junction != -1  # a light within a junction faces the traffic that approaches it
        k = 0 if inside else int(along / max(abs(np.diff(lane.stations)[0]), 1e-6) * (len(lane.points) - 1))
        towards = math.remainder(float(lane.points[k, 2]) + math.pi, 2.0 * math.pi)
        if abs(math.remainder(yaw - towards, 2.0 * math.pi)) > _TURNED:
            yaw = towards
    pose = (float(position[0]), float(position[1]), yaw)
    return Landmark(
        str(mark.id),
        str(mark.type),
        str(mark.sub_type),
        float(mark.value),
        str(mark.unit),
        str(mark.text),
        pose,
        governs,
    )


def controllers_of(root: ET.Element) -> dict[str, str]:
    """Signal id -> id of the controller that switches it; the first where there are several."""
    found: dict[str, str] = {}
    for controller in root.findall("controller"):
        for control in controller.findall("control"):
            found.setdefault(str(control.get("signalId")), str(controller.get("id")))
    return found


def speed_limits(root: ET.Element) -> dict[int, tuple[tuple[float, float], ...]]:
    """Road id -> (s from which the limit applies [m], limit [m/s]), ascending; roads without a limit are left out."""
    found = {}
    for road in root.findall("road"):
        records = []
        for kind in road.findall("type"):
            speed = kind.find("speed")
            limit = _limit(speed) if speed is not None else None
            if limit is not None:
                records.append((float(kind.get("s", "0")), limit))
        if records:
            found[int(str(road.get("id")))] = tuple(sorted(records))
    return found


def _limit(speed: ET.Element) -> float | None:
    try:
        return float(speed.get("max", "")) * _UNITS.get(speed.get("unit", ""), 1.0)
    except ValueError:  # "no limit", "undefined"
        return None
