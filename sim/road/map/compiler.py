"""Compiles OpenDRIVE text to a `RoadMap` (ground, junctions, scenery), cached on disk by its digest.

`compile_map` is pure: the same text gives the same arrays, bit for bit, because all random numbers are seeded with the
digest.  The digest covers the text and COMPILER_VERSION, so the cache never returns the arrays of an older compiler.
World frame as in `sim.datatypes.world_state`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from sim.core.cache import cache_root, load_or_build, save_npz
from sim.datatypes.road_map import Arm, Ground, Junction, Path, RoadMap, Route
from sim.road.graph.junctions import build_junctions
from sim.road.map.ground_texture import paint_ground
from sim.road.map.scenery import place_scenery, skyline
from sim.road.opendrive.reader import read_network

COMPILER_VERSION = 3  # raise it whenever anything that compile_map calls gives other arrays
FILE_VERSION = 2  # raise it whenever the words in a cache file change, such as kinds of junctions, but no array does


def digest_of(opendrive: str) -> str:
    """SHA-256 of the text and of the compiler's version: the cache key of a compiled map."""
    return hashlib.sha256(f"{COMPILER_VERSION}\0{opendrive}".encode()).hexdigest()


def compile_map(opendrive: str, name: str) -> RoadMap:
    """Compile an OpenDRIVE text to a `RoadMap`.

    Args:
        name: for displays and error messages.

    Raises:
        ValueError: one sentence saying what is wrong with the text.
    """
    digest = digest_of(opendrive)
    network = read_network(opendrive, name)
    junctions = build_junctions(network)
    ground = paint_ground(network, junctions, digest)
    scenery = place_scenery(network, junctions, ground, digest)
    return RoadMap(name, digest, ground, junctions, scenery, skyline(digest), opendrive)


@functools.lru_cache(maxsize=64)
def compiled(opendrive: str, name: str) -> RoadMap:
    """The compiled map of an OpenDRIVE text, from the disk cache or from `compile_map`.

    A cache file that cannot be read is rebuilt, with a warning.
    """
    digest = digest_of(opendrive)
    place = cache_root() / "maps" / f"{digest}-{FILE_VERSION}.npz"
    return load_or_build(
        place, lambda file: read_cache(file, opendrive, name), lambda: compile_map(opendrive, name), write_cache, "map"
    )


def write_cache(place: FilePath, road_map: RoadMap) -> None:
    """Store a compiled map; another process sees the whole file or none."""
    ground = road_map.ground
    paths: list[np.ndarray] = []

    def put(path: Path) -> int:
        paths.append(path.points)
        return len(paths) - 1

    meta = {
        "digest": road_map.digest,
        "texel": ground.texel,
        "surface_texel": ground.surface_texel,
        "junctions": [
            {
                "id": j.id, "kind": j.kind, "centre": j.centre,
                "arms": [[a.name, put(a.inbound), put(a.outbound), a.lane_width] for a in j.arms.values()],
                "routes": [
                    [put(r.path), r.origin, r.target, r.decision, r.junction_in, r.junction_out] for r in j.routes
                ],
            }
            for j in road_map.junctions
        ],
    }  # fmt: skip
    arrays: dict[str, Any] = {f"level{i}": level for i, level in enumerate(ground.levels)}
    lengths = np.array([len(p) for p in paths], np.int64)
    points = np.concatenate(paths) if paths else np.zeros((0, 4), np.float32)
    save_npz(
        place, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), lengths=lengths, points=points,
        origin=ground.origin, surface=ground.surface, scenery=road_map.scenery, skyline=road_map.skyline, **arrays,
    )  # fmt: skip


def read_cache(place: FilePath, opendrive: str, name: str) -> RoadMap:
    """Read a compiled map that `write_cache` stored.

    Raises:
        ValueError: where the file belongs to another text.
    """
    with np.load(place, allow_pickle=False) as file:
        data = {key: file[key] for key in file.files}
    meta = json.loads(data["meta"].tobytes())
    if meta["digest"] != digest_of(opendrive):
        raise ValueError(f"it holds the map {meta['digest'][:12]}...")
    ends = np.cumsum(data["lengths"])
    paths = [Path(p) for p in np.split(data["points"], ends[:-1])] if len(ends) else []
    junctions = tuple(
        Junction(
            j["id"], j["kind"], tuple(j["centre"]),
            {a: Arm(a, paths[i], paths[o], w) for a, i, o, w in j["arms"]},
            tuple(Route(paths[p], *rest) for p, *rest in j["routes"]),
        )
        for j in meta["junctions"]
    )  # fmt: skip
    levels = tuple(data[f"level{i}"] for i in range(sum(key.startswith("level") for key in data)))
    ground = Ground(data["origin"], meta["texel"], levels, data["surface"], meta["surface_texel"])
    return RoadMap(name, meta["digest"], ground, junctions, data["scenery"], data["skyline"], opendrive)
