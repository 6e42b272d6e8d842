"""Compiles OpenDRIVE text to a lane graph: lanes with neighbours and successors, signals, crosswalks.

As with `sim.road.map.compiler`, the same text gives the same arrays, and the result is cached on disk under the hash of
the text. The world frame is right-handed: x east, y north, yaw anticlockwise, SI units and radians.
"""

from __future__ import annotations

import functools
import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sim.core.cache import cache_root, load_or_build, save_npz
from sim.road.opendrive.landmarks import Landmark, controllers_of, landmarks_of, speed_limits
from sim.road.opendrive.reader import Lane, network_of, open_map

LANES_VERSION = 1  # raise it whenever `compile_lanes` gives other arrays
SPACING = 0.5  # [m] most between neighbouring points of a lane
DEFAULT_LIMIT = 50.0 / 3.6  # [m/s] where a file states none
_NARROWEST = 2.0  # [m] least width of a lane that vehicles may change to
LANE_KINDS: tuple[str, ...] = ("driving", "parking", "sidewalk", "shoulder", "biking", "other")
LANE_KIND: dict[str, int] = {name: i for i, name in enumerate(LANE_KINDS)}
_KIND_OF_TYPE = {
    "parking": "parking", "sidewalk": "sidewalk", "walking": "sidewalk", "biking": "biking",
    "shoulder": "shoulder", "border": "shoulder", "stop": "shoulder", "curb": "shoulder",
}  # fmt: skip
LIGHTS = frozenset({"1000001", "1000002", *(str(n) for n in range(1000007, 1000021)), "F", "W", "A"})
STOP, YIELD, LIMIT = "206", "205", "274"


@dataclass(frozen=True)
class LaneGraph:
    """The lanes of a map in their directions of travel: L lanes with P points in all.

    A lane ends where its road or lane section ends.  Its points are evenly spaced, at most SPACING apart: those of lane
    i are the rows start[i] to start[i + 1].  CSR: the successors of lane i are successors[successor_start[i] :
    successor_start[i + 1]]; only driving lanes have successors.

    Args:
        name: for messages; digest: SHA-256 of the text and the compiler's version.
        start: (L + 1,) int64.
        points: (P, 3) float32: x, y [m], yaw [rad] of the centre; yaw is unwrapped along a lane.
        width: (P,) float32 [m]; speed_limit: (P,) float32 [m/s], DEFAULT_LIMIT where the file states none.
        change: (P, 2) bool, whether lane changes to the left, to the right are allowed; only to driving lanes of 2 m
            and more.
        kind: (L,) int32, indices into LANE_KINDS.
        length: (L,) float32 [m].
        road, section, lane: (L,) int32, OpenDRIVE's ids; junction: (L,) int32, -1 outside junctions.
        neighbours: (L, 2) int32, the adjacent lanes of any kind to the left and right with the same direction; -1 none.
        successor_start, successors, predecessor_start, predecessors: int32 CSR.
        signal_ids, signal_types, signal_texts: G words each; types as in OpenDRIVE (LIGHTS, STOP, YIELD, LIMIT, ...).
        signal_pose: (G, 3) float32 x, y, yaw; it faces the traffic that it applies to.
        signal_value: (G,) float32 as in the file, with signal_units.
        signal_controller: (G,) int32 index into controllers (ids), -1 none.
        governs_start: (G + 1,) int32; governs: (R,) int32 lanes; governs_at: (R,) float32 distance along each [m].
        crosswalk_start: (C + 1,) int32; crosswalk_points: (Q, 2) float32 corners, not closed.
    """

    name: str
    digest: str
    start: np.ndarray
    points: np.ndarray
    width: np.ndarray
    speed_limit: np.ndarray
    change: np.ndarray
    kind: np.ndarray
    length: np.ndarray
    road: np.ndarray
    section: np.ndarray
    lane: np.ndarray
    junction: np.ndarray
    neighbours: np.ndarray
    successor_start: np.ndarray
    successors: np.ndarray
    predecessor_start: np.ndarray
    predecessors: np.ndarray
    signal_ids: tuple[str, ...]
    signal_types: tuple[str, ...]
    signal_texts: tuple[str, ...]
    signal_units: tuple[str, ...]
    signal_pose: np.ndarray
    signal_value: np.ndarray
    signal_controller: np.ndarray
    controllers: tuple[str, ...]
    governs_start: np.ndarray
    governs: np.ndarray
    governs_at: np.ndarray
    crosswalk_start: np.ndarray
    crosswalk_points: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def points_of(self, lane: int) -> np.ndarray:
        """(K, 3) x, y, yaw of a lane's centre."""
        return self.points[self.start[lane] : self.start[lane + 1]]

    def successors_of(self, lane: int) -> np.ndarray:
        """The lanes that follow a lane."""
        return self.successors[self.successor_start[lane] : self.successor_start[lane + 1]]

    def predecessors_of(self, lane: int) -> np.ndarray:
        """The lanes that precede a lane."""
        return self.predecessors[self.predecessor_start[lane] : self.predecessor_start[lane + 1]]

    def lanes_of_kind(self, kind: str) -> np.ndarray:
        """Indices of the lanes of one of LANE_KINDS."""
        return np.flatnonzero(self.kind == LANE_KIND[kind])

    def governed_by(self, signal: int) -> list[tuple[int, float]]:
        """The lanes that a signal applies to, with its distance along each [m]."""
        rows = slice(self.governs_start[signal], self.governs_start[signal + 1])
        return [(int(i), float(at)) for i, at in zip(self.governs[rows], self.governs_at[rows])]

    def crosswalks(self) -> list[np.ndarray]:
        """Corners (K, 2) of every crosswalk."""
        return np.split(self.crosswalk_points, self.crosswalk_start[1:-1]) if len(self.crosswalk_start) > 1 else []

    def validate(self) -> LaneGraph:
        """Check shapes, ranges and indices, and return the graph itself.

        Raises:
            ValueError: naming the first field that is wrong.
        """
        lanes, points, signals = len(self.kind), len(self.points), len(self.signal_ids)
        wanted = {
            "start": (lanes + 1,), "points": (points, 3), "width": (points,), "speed_limit": (points,),
            "change": (points, 2), "length": (lanes,), "road": (lanes,), "section": (lanes,), "lane": (lanes,),
            "junction": (lanes,), "neighbours": (lanes, 2), "successor_start": (lanes + 1,),
            "predecessor_start": (lanes + 1,), "signal_pose": (signals, 3), "signal_value": (signals,),
            "signal_controller": (signals,), "governs_start": (signals + 1,), "governs_at": self.governs.shape,
        }  # fmt: skip
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value.shape != shape:
                raise ValueError(f"lane graph {self.name}: {name} has the shape {value.shape}, wanted {shape}")
        for name in ("points", "width", "speed_limit", "length", "signal_pose", "governs_at", "crosswalk_points"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"lane graph {self.name}: {name} is not finite everywhere")
        for name, least, most in (
            ("kind", 0, len(LANE_KINDS)), ("neighbours", -1, lanes), ("successors", 0, lanes),
            ("predecessors", 0, lanes), ("governs", 0, lanes), ("signal_controller", -1, len(self.controllers)),
        ):  # fmt: skip
            value = getattr(self, name)
            if value.size and not (value.min() >= least and value.max() < most):
                raise ValueError(f"lane graph {self.name}: {name} goes beyond {least} to {most - 1}")
        for name, total in (
            ("start", points), ("successor_start", len(self.successors)), ("governs_start", len(self.governs)),
            ("predecessor_start", len(self.predecessors)), ("crosswalk_start", len(self.crosswalk_points)),
        ):  # fmt: skip
            value = getattr(self, name)
            if value[0] != 0 or value[-1] != total or (np.diff(value) < 0).any():
                raise ValueError(f"lane graph {self.name}: {name} does not ascend from 0 to {total}")
        if (np.diff(self.start) < 2).any():
            raise ValueError(f"lane graph {self.name}: a lane has fewer than two points")
        return self


# --------------------------------------------------------------------------------------------------- compile
def lanes_digest(opendrive: str) -> str:
    """SHA-256 of the text and of the compiler's version: the cache key of a compiled lane graph."""
    return hashlib.sha256(f"lanes {LANES_VERSION}\0{opendrive}".encode()).hexdigest()


def compile_lanes(opendrive: str, name: str) -> LaneGraph:
    """Compile the lane graph of an OpenDRIVE text.

    Raises:
        ValueError: one sentence naming the map and what is wrong with it.
    """
    root, carla_map = open_map(opendrive, name)
    network = network_of(root, carla_map, name)
    lanes = network.lanes
    kind = [_kind(lane) for lane in lanes]
    neighbours = _neighbours(lanes)
    parts, lengths = _tables(lanes, kind, neighbours, speed_limits(root))
    table = np.concatenate(parts)
    corners = [np.asarray(c, np.float32) for c in network.crosswalks]
    successor_start, successors = _csr([lane.successors for lane in lanes])
    predecessor_start, predecessors = _csr([lane.predecessors for lane in lanes])
    graph = LaneGraph(
        name=name,
        digest=lanes_digest(opendrive),
        start=np.concatenate([[0], np.cumsum([len(p) for p in parts])]).astype(np.int64),
        points=table[:, :3].astype(np.float32),
        width=table[:, 3].astype(np.float32),
        speed_limit=table[:, 4].astype(np.float32),
        change=table[:, 5:7] > 0.5,
        kind=np.array([LANE_KIND[k] for k in kind], np.int32),
        length=np.array(lengths, np.float32),
        road=np.array([lane.road for lane in lanes], np.int32),
        section=np.array([lane.section for lane in lanes], np.int32),
        lane=np.array([lane.lane for lane in lanes], np.int32),
        junction=np.array([lane.junction for lane in lanes], np.int32),
        neighbours=neighbours,
        successor_start=successor_start,
        successors=successors,
        predecessor_start=predecessor_start,
        predecessors=predecessors,
        **_signals(root, landmarks_of(root, carla_map, lanes)),
        crosswalk_start=np.concatenate([[0], np.cumsum([len(c) for c in corners])]).astype(np.int32),
        crosswalk_points=np.concatenate([np.zeros((0, 2), np.float32), *corners]),
    )
    return graph.validate()


def _tables(
    lanes: Sequence[Lane],
    kind: Sequence[str],
    neighbours: np.ndarray,
    limits: dict[int, tuple[tuple[float, float], ...]],
) -> tuple[list[np.ndarray], list[float]]:
    """Tables and lengths of all lanes, as `_resampled` returns them, with changes only to wide enough driving lanes."""
    parts, lengths = [], []
    for lane in lanes:
        table, length = _resampled(lane, limits.get(lane.road, ()))
        parts.append(table)
        lengths.append(length)
    for i, table in enumerate(parts):
        for side in (0, 1):
            other = neighbours[i, side]
            if other < 0 or kind[i] != "driving" or kind[other] != "driving":
                table[:, 5 + side] = 0.0
                continue
            there = parts[other][:, 3]  # a lane that only widens further on cannot be entered yet
            wide = np.interp(np.linspace(0.0, 1.0, len(table)), np.linspace(0.0, 1.0, len(there)), there)
            table[:, 5 + side] *= wide >= _NARROWEST
    return parts, lengths


def _kind(lane: Lane) -> str:
    return "driving" if lane.drives else _KIND_OF_TYPE.get(lane.type, "other")


def _neighbours(lanes: Sequence[Lane]) -> np.ndarray:
    """(L, 2) int32 left and right neighbour of every lane, where it has the same direction."""
    index = {(lane.road, lane.section, lane.lane): i for i, lane in enumerate(lanes)}
    found = np.full((len(lanes), 2), -1, np.int32)
    for i, lane in enumerate(lanes):
        left = 1 if lane.stations[0] < lane.stations[1] else -1  # ids ascend to the left of the reference line
        for side, step in ((0, left), (1, -left)):
            other = index.get((lane.road, lane.section, lane.lane + step), -1)
            if other >= 0 and (lanes[other].stations[0] < lanes[other].stations[1]) == (left == 1):
                found[i, side] = other
    return found


def _resampled(lane: Lane, limits: Sequence[tuple[float, float]]) -> tuple[np.ndarray, float]:
    """Resample a lane evenly: (K, 7) x, y, yaw, width, limit, change to the left and right; and its length [m]."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(lane.points[:, :2], axis=0).T))])
    count = max(2, int(np.ceil(along[-1] / SPACING)) + 1)
    at = np.linspace(0.0, along[-1], count)
    raw = np.column_stack([lane.points[:, :2], np.unwrap(lane.points[:, 2]), lane.width])
    table = np.column_stack([np.interp(at, along, column) for column in raw.T])
    stations = np.interp(at, along, np.linspace(*lane.stations, len(along)))
    limit = np.full(count, DEFAULT_LIMIT)
    for s, value in limits:
        limit[stations >= s - 0.01] = value
    nearest = np.clip(np.searchsorted(along, at, "right") - 1, 0, len(along) - 1)
    return np.column_stack([table, limit, lane.change[nearest]]), float(along[-1])


def _csr(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    start = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int32)
    return start, np.array([v for r in rows for v in r], np.int32)


def _signals(root: ET.Element, landmarks: Sequence[Landmark]) -> dict[str, Any]:
    """The fields of a LaneGraph about signals."""
    by_signal = controllers_of(root)
    controllers = tuple(dict.fromkeys(by_signal.values()))
    start, governs = _csr([[lane for lane, _ in m.governs] for m in landmarks])
    return {
        "signal_ids": tuple(m.id for m in landmarks),
        "signal_types": tuple(m.type for m in landmarks),
        "signal_texts": tuple(m.text for m in landmarks),
        "signal_units": tuple(m.unit for m in landmarks),
        "signal_pose": np.array([m.pose for m in landmarks], np.float32).reshape(-1, 3),
        "signal_value": np.array([m.value for m in landmarks], np.float32),
        "signal_controller": np.array(
            [controllers.index(by_signal[m.id]) if m.id in by_signal else -1 for m in landmarks], np.int32
        ),
        "controllers": controllers,
        "governs_start": start,
        "governs": governs,
        "governs_at": np.array([at for m in landmarks for _, at in m.governs], np.float32),
    }


# ----------------------------------------------------------------------------------------------------- cache
@functools.lru_cache(maxsize=64)
def lane_graph(opendrive: str, name: str) -> LaneGraph:
    """The lane graph of an OpenDRIVE text, from the disk cache or from `compile_lanes`.

    A cache file that cannot be read is rebuilt, with a warning.
    """
    digest = lanes_digest(opendrive)
    place = cache_root() / "lanes" / f"{digest}.npz"
    return load_or_build(
        place,
        lambda file: read_lanes(file, digest, name),
        lambda: compile_lanes(opendrive, name),
        write_lanes,
        "lane graph",
    )


def write_lanes(place: Path, graph: LaneGraph) -> None:
    """Store a lane graph; another process sees the whole file or none."""
    values = {f.name: getattr(graph, f.name) for f in fields(graph)}
    words = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
    arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
    save_npz(place, meta=np.frombuffer(json.dumps(words).encode(), np.uint8), **arrays)


def read_lanes(place: Path, digest: str, name: str) -> LaneGraph:
    """Read a lane graph that `write_lanes` stored.

    Raises:
        ValueError: where the file belongs to another text, or holds no valid graph.
    """
    with np.load(place, allow_pickle=False) as file:
        data: dict[str, Any] = {key: file[key] for key in file.files}
    words = json.loads(data.pop("meta").tobytes())
    if words["digest"] != digest:
        raise ValueError(f"it holds the lanes {words['digest'][:12]}...")
    words = {key: tuple(value) if isinstance(value, list) else value for key, value in words.items()}
    return LaneGraph(**{**words, **data, "name": name}).validate()
