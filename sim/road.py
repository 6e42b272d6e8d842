"""OpenDRIVE text -> RoadMap: ground, junctions, scenery; kept on disk under the hash of the text.

`compile_map` is pure: the same text gives the same arrays, bit for bit, because everything that looks like chance
is seeded from the digest.  The digest covers the text and COMPILER_VERSION, so a cache never serves an old
compiler's work.  World frame as in `sim.types`.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from sim import maps
from sim.cache import kept
from sim.carla.opendrive import read_network
from sim.config import MapSpec
from sim.ground import paint_ground
from sim.junctions import build_junctions
from sim.kernel import cache_root
from sim.scenery import place_scenery, skyline
from sim.types import Arm, Ground, Junction, Path, RoadMap, Route

COMPILER_VERSION = 3  # raise it whenever anything that compile_map calls gives other arrays


def digest_of(opendrive: str) -> str:
    """SHA-256 of the text and of the compiler's version: the name of a compiled map."""
    return hashlib.sha256(f"{COMPILER_VERSION}\0{opendrive}".encode()).hexdigest()


def compile_map(opendrive: str, name: str) -> RoadMap:
    """Compile an OpenDRIVE text.

    Args:
        name: for people and for error messages.

    Raises:
        ValueError: one sentence saying what is wrong with the text.
    """
    digest = digest_of(opendrive)
    network = read_network(opendrive, name)
    junctions = build_junctions(network)
    ground = paint_ground(network, junctions, digest)
    scenery = place_scenery(network, junctions, ground, digest)
    return RoadMap(name, digest, ground, junctions, scenery, skyline(digest), opendrive)


def load_map(spec: MapSpec, search: Sequence[FilePath] = ()) -> tuple[RoadMap, Junction]:
    """The map of a spec, as `read_map` gives it, and the junction that the spec names.

    Raises:
        ValueError: as `read_map`, and when there is no such junction.
        FileNotFoundError: as `read_map`.
    """
    road_map = read_map(spec, search)
    candidates = junctions_of_kind(road_map, spec.kind)
    if not 0 <= spec.junction < len(candidates):
        kinds = sorted({j.kind for j in road_map.junctions})
        raise ValueError(
            f"map {road_map.name} has {len(candidates)} junctions of kind {spec.kind!r}, so junction {spec.junction} "
            f"does not exist (kinds that it has: {', '.join(kinds) or 'none'})"
        )
    return road_map, candidates[spec.junction]


def read_map(spec: MapSpec, search: Sequence[FilePath] = ()) -> RoadMap:
    """The map of a spec, from the cache where it can, whatever junctions it has.

    Args:
        search: folders in which a file is looked for after the path as given and before $HOMUNCULUS_MAPS.

    Raises:
        ValueError: for an unknown generator or parameter, another file of the same name, or a text that cannot be
            compiled.
        FileNotFoundError: listing where the file was looked for.
    """
    if spec.file is not None:
        path = find_file(spec.file, search)
        stat = path.stat()
        found, text = _file(path, stat.st_mtime_ns, stat.st_size)
        if spec.sha256 is not None and found != spec.sha256:
            raise ValueError(f"map {path} has SHA-256 {found[:12]}..., but {spec.sha256[:12]}... is wanted")
        if isinstance(text, UnicodeDecodeError):
            raise ValueError(f"map {path} is not UTF-8 text ({text})")
        try:
            return compiled(text, path.stem)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if spec.generate is not None:
        return compiled(maps.generate(spec.generate, spec.parameters), spec.generate)
    raise ValueError(f"a map needs `generate` (one of {', '.join(sorted(maps.GENERATORS))}) or `file`")


@functools.lru_cache(maxsize=32)
def _file(path: FilePath, changed: int, size: int) -> tuple[str, str | UnicodeDecodeError]:
    """SHA-256 and text of a map file, read once: every reset asks for it.

    Args:
        changed, size: of the file, so that another file of the same name is read anew.
    """
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    try:
        return found, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return found, error


def junctions_of_kind(road_map: RoadMap, kind: str) -> tuple[Junction, ...]:
    """The junctions or composed places of a kind, in the file's order: what MapSpec.junction counts."""
    from sim.composed import places_of, with_long_stem  # late: they are read from lanes, which are stored as maps are

    if kind in maps.PLACES:
        return places_of(road_map, kind)
    return tuple(with_long_stem(road_map, j) for j in road_map.junctions if j.kind == kind)


def find_file(file: str, search: Sequence[FilePath] = ()) -> FilePath:
    """Where an OpenDRIVE file is: as given, then in the `search` folders, then in $HOMUNCULUS_MAPS.

    Raises:
        FileNotFoundError: listing the places.
    """
    folders = [FilePath(), *search]
    if os.environ.get("HOMUNCULUS_MAPS"):
        folders.append(FilePath(os.environ["HOMUNCULUS_MAPS"]))
    places = [folder / file for folder in folders]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(p) for p in places)
    raise FileNotFoundError(f"map file {file!r} not found; looked at {looked} ($HOMUNCULUS_MAPS names one more folder)")


@functools.lru_cache(maxsize=64)
def compiled(opendrive: str, name: str) -> RoadMap:
    """`compile_map` behind the disk cache; a cache file that cannot be read is made again, with a warning."""
    digest = digest_of(opendrive)
    place = cache_root() / "maps" / f"{digest}.npz"
    return kept(
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
    store(
        place, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), lengths=lengths, points=points,
        origin=ground.origin, surface=ground.surface, scenery=road_map.scenery, skyline=road_map.skyline, **arrays,
    )  # fmt: skip


def store(place: FilePath, **arrays: np.ndarray) -> None:
    """Write arrays as one .npz file; another process sees the whole file or none."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getbuffer())
        os.replace(temporary, place)
    except BaseException:
        FilePath(temporary).unlink(missing_ok=True)
        raise


def read_cache(place: FilePath, opendrive: str, name: str) -> RoadMap:
    """Read what `write_cache` stored.

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
