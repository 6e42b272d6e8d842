"""Loads the map of a `MapSpec`, from a generator or from an OpenDRIVE file."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path as FilePath

from sim.datatypes.episode import MapSpec
from sim.datatypes.road_map import Junction, RoadMap
from sim.road.generators import registry as maps
from sim.road.map.compiler import compiled


def load_map(spec: MapSpec, search: Sequence[FilePath] | None = None) -> tuple[RoadMap, Junction]:
    """The map of a spec, as `read_map` returns it, and the junction that the spec names.

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


def read_map(spec: MapSpec, search: Sequence[FilePath] | None = None) -> RoadMap:
    """The compiled map of a spec, from the cache where possible; its junctions are not checked.

    Args:
        search: folders in which a file is searched after the path as given; None for `default_search()`.

    Raises:
        ValueError: for an unknown generator or parameter, another file of the same name, or a text that cannot be
            compiled.
        FileNotFoundError: listing the places where the file was searched.
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
    """SHA-256 and text of a map file, cached because every reset needs it.

    Args:
        changed, size: of the file, so that another file of the same name is read again.
    """
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    try:
        return found, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return found, error


def junctions_of_kind(road_map: RoadMap, kind: str) -> tuple[Junction, ...]:
    """The decision points of a kind, in the file's order; `MapSpec.junction` is an index into them."""
    if kind in maps.DECISION_POINTS:
        return maps.DECISION_POINTS[kind].on(road_map)
    return tuple(j for j in road_map.junctions if j.kind == kind)


def default_search() -> tuple[FilePath, ...]:
    """The folders of OpenDRIVE files where a caller names none: that of $HOMUNCULUS_MAPS, if it is set."""
    folder = os.environ.get("HOMUNCULUS_MAPS")
    return (FilePath(folder),) if folder else ()


def find_file(file: str, search: Sequence[FilePath] | None = None) -> FilePath:
    """Find an OpenDRIVE file: at the path as given, then in the `search` folders; None for `default_search()`.

    Raises:
        FileNotFoundError: listing the places searched.
    """
    places = [folder / file for folder in (FilePath(), *(default_search() if search is None else search))]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(p) for p in places)
    raise FileNotFoundError(
        f"map file {file!r} not found; looked at {looked} (--maps or $HOMUNCULUS_MAPS names the folder of maps)"
    )
