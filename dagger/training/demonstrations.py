"""Demonstrations on disk: states instead of pixels, in append-only Arrow shards with checksums in an index.

A shard holds whole episodes, one row each; the lists in a row run over ticks. Nothing is pickled. The index is a JSON
line per shard, written after the shard itself: a run killed in between leaves a file that is not in the index, and the
next append replaces it. A shard whose bytes differ from its checksum is named and left out; the others stay usable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from dagger.runs.jsonl import JsonlLog
from sim.core.files import atomic_path
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.world.rollout import DYNAMIC_FIELDS

FORMAT = 2
TICK_FIELDS: dict[str, type] = {
    "executed_steer": np.float32, "executed_acceleration": np.float32,
    "expert_steer": np.float32, "expert_acceleration": np.float32,
    "expert_used": np.bool_, "valid": np.bool_, "beta": np.float32, "decision": np.int8,
}  # fmt: skip
TAKEOVERS = ("takeover_tick", "takeover_length", "takeover_motion")  # columns of drives with takeovers
FRAMES, CAMERA = "frames", "camera"  # columns of stored pictures and their camera, only in shards that have them
JPEG_QUALITY = 95
# Fields of some scenarios: the expert's driver state, which no learner sees, and the gears where ego may reverse.
# A shard without them has no such columns.
MORE_FIELDS: dict[str, type] = {"driver_state": np.float32, "executed_reverse": np.bool_, "expert_reverse": np.bool_}


@dataclass(frozen=True)
class Takeover:
    """The expert's future from one tick on, in another rollout of the episode in which it took over there.

    Args:
        tick: at which it took over.
        motion: (T', 4) float32, ego's x, y, yaw, speed from that tick to the end [m, m, rad, m/s].
    """

    tick: int
    motion: np.ndarray


@dataclass(frozen=True)
class Demonstration:
    """One labelled episode of T ticks and N actors.

    Args:
        episode: what was driven.
        driver: "expert", "dagger", ...
        round: DAgger round; 0 is behaviour cloning.
        policy_version: digest of the weights of the learner that took part, "" for none.
        map_sha256: digest of the compiled map.
        moving: DYNAMIC_FIELDS name -> (T, N) of its type, the state in which each action was taken.
        weather: (T, 14) float32.
        ticks: TICK_FIELDS name -> (T,), and those of MORE_FIELDS that the scenario has.
        propositions: name -> (T,) bool.
        outcome, shown_decision: at the end.
        frames: T pictures as JPEG, from a backend whose pictures cannot be redrawn; else empty.
        camera: camera of these pictures, None without any.
        takeovers: the expert's own futures from some of the ticks at which the learner drove on.
    """

    episode: Episode
    driver: str
    round: int
    policy_version: str
    map_sha256: str
    moving: dict[str, np.ndarray]
    weather: np.ndarray
    ticks: dict[str, np.ndarray]
    propositions: dict[str, np.ndarray]
    outcome: int
    shown_decision: int
    versions: dict[str, str] = field(default_factory=dict)
    frames: tuple[bytes, ...] = ()
    camera: Camera | None = None
    takeovers: tuple[Takeover, ...] = ()

    def __len__(self) -> int:
        return len(self.weather)

    @property
    def labels(self) -> int:
        """The number of ticks with a label that may be learned from."""
        return int(self.ticks["valid"].sum())


def _schema(more: Sequence[str], frames: bool = False, takeovers: bool = False) -> pa.Schema:
    arrow = {np.float32: pa.float32(), np.bool_: pa.bool_(), np.int8: pa.int8()}
    fields = [
        pa.field("episode", pa.string()), pa.field("driver", pa.string()), pa.field("round", pa.int32()),
        pa.field("policy_version", pa.string()), pa.field("map_sha256", pa.string()), pa.field("versions", pa.string()),
        pa.field("outcome", pa.int32()), pa.field("shown_decision", pa.int32()), pa.field("actors", pa.int32()),
        pa.field("weather", pa.list_(pa.float32())),
        pa.field("propositions", pa.map_(pa.string(), pa.list_(pa.bool_()))),
    ]  # fmt: skip
    ticks = DYNAMIC_FIELDS | TICK_FIELDS | {name: MORE_FIELDS[name] for name in more}
    fields += [pa.field(name, pa.list_(arrow[kind])) for name, kind in ticks.items()]
    if frames:
        fields += [pa.field(FRAMES, pa.list_(pa.binary())), pa.field(CAMERA, pa.string())]
    if takeovers:
        kinds = (pa.int32(), pa.int32(), pa.float32())
        fields += [pa.field(name, pa.list_(kind)) for name, kind in zip(TAKEOVERS, kinds)]
    return pa.schema(fields, metadata={"format": str(FORMAT)})


def _row(d: Demonstration) -> dict[str, object]:
    return {
        "episode": json.dumps(d.episode.to_dict(), sort_keys=True), "driver": d.driver, "round": d.round,
        "policy_version": d.policy_version, "map_sha256": d.map_sha256,
        "versions": json.dumps(d.versions, sort_keys=True), "outcome": d.outcome, "shown_decision": d.shown_decision,
        "actors": d.moving["x"].shape[1], "weather": d.weather.ravel(),
        "propositions": [(name, values.tolist()) for name, values in sorted(d.propositions.items())],
        **{name: d.moving[name].ravel() for name in DYNAMIC_FIELDS},
        **{name: d.ticks[name] for name in (*TICK_FIELDS, *MORE_FIELDS) if name in d.ticks},
        **(dict(zip(TAKEOVERS, _flat(d.takeovers))) if d.takeovers else {}),
        **({FRAMES: list(d.frames)} if d.frames else {}),
        **({CAMERA: json.dumps(asdict(d.camera), sort_keys=True)} if d.camera is not None else {}),
    }  # fmt: skip


def _flat(takeovers: Sequence[Takeover]) -> tuple[list[int], list[int], np.ndarray]:
    """Ticks, lengths and all motions one after the other: the columns TAKEOVERS."""
    motions = np.concatenate([t.motion for t in takeovers])
    return [t.tick for t in takeovers], [len(t.motion) for t in takeovers], motions.astype(np.float32).ravel()


def _demonstration(row: dict[str, pa.Scalar]) -> Demonstration:
    def array(name: str, kind: type) -> np.ndarray:
        return row[name].values.to_numpy(zero_copy_only=False).astype(kind)

    actors = row["actors"].as_py()
    takeovers: tuple[Takeover, ...] = ()
    if TAKEOVERS[0] in row and row[TAKEOVERS[0]].is_valid:
        starts, lengths, motions = (array(name, kind) for name, kind in zip(TAKEOVERS, (int, int, np.float32)))
        pieces = np.split(motions.reshape(-1, 4), np.cumsum(lengths)[:-1])
        takeovers = tuple(Takeover(int(t), motion) for t, motion in zip(starts, pieces))
    ticks = TICK_FIELDS | {name: kind for name, kind in MORE_FIELDS.items() if name in row and row[name].is_valid}
    return Demonstration(
        episode=Episode.from_dict(json.loads(row["episode"].as_py())),
        driver=row["driver"].as_py(),
        round=row["round"].as_py(),
        policy_version=row["policy_version"].as_py(),
        map_sha256=row["map_sha256"].as_py(),
        moving={name: array(name, kind).reshape(-1, actors) for name, kind in DYNAMIC_FIELDS.items()},
        weather=array("weather", np.float32).reshape(-1, 14),
        ticks={name: array(name, kind) for name, kind in ticks.items()},
        propositions={name: np.array(values, bool) for name, values in row["propositions"].as_py()},
        outcome=row["outcome"].as_py(),
        shown_decision=row["shown_decision"].as_py(),
        versions=json.loads(row["versions"].as_py()),
        frames=tuple(row[FRAMES].as_py()) if FRAMES in row and row[FRAMES].is_valid else (),
        camera=Camera(**json.loads(row[CAMERA].as_py())) if CAMERA in row and row[CAMERA].is_valid else None,
        takeovers=takeovers,
    )


def packed(picture: np.ndarray) -> bytes:
    """An (H, W, 3) uint8 RGB picture as JPEG."""
    good, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise ValueError(f"a picture of shape {picture.shape} cannot be stored as JPEG")
    return data.tobytes()


def unpacked(data: bytes) -> np.ndarray:
    """A stored picture as (H, W, 3) uint8 RGB.

    Raises:
        ValueError: for data that is no picture.
    """
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"a stored picture of {len(data)} bytes cannot be decoded")
    return np.ascontiguousarray(picture[..., ::-1])


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return (
            hashlib.file_digest(stream, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else hashlib.sha256(stream.read()).hexdigest()
        )


class DemonstrationStore:
    """A folder of demonstration shards.

    Args:
        folder: created if absent.

    Attributes:
        damaged: shard name -> what is wrong with it; filled by reading.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.damaged: dict[str, str] = {}

    @property
    def _index(self) -> JsonlLog:
        return JsonlLog(self.folder / "index.jsonl")

    def entries(self) -> list[dict[str, Any]]:
        """The index, oldest first; a last line torn by a kill is not counted.

        Raises:
            ValueError: for a damaged line before the last.
        """
        return list(self._index.rows(strict=True))

    def append(self, demonstrations: Sequence[Demonstration], tag: str) -> str:
        """Write one shard and add it to the index.

        Args:
            tag: name of the shard, such as "round-1"; a tag that the index already has is an error.

        Returns:
            The shard's file name.
        """
        if any(e["tag"] == tag for e in self.entries()):
            raise ValueError(f"{self.folder} already has a shard {tag!r}; shards are only ever added")
        name = f"{tag}.arrow"
        more = [name for name in MORE_FIELDS if any(name in d.ticks for d in demonstrations)]
        table = pa.Table.from_pylist(
            [_row(d) for d in demonstrations],
            schema=_schema(more, any(d.frames for d in demonstrations), any(d.takeovers for d in demonstrations)),
        )
        with atomic_path(self.folder / name) as temporary:
            with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
        entry = {
            "tag": tag, "file": name, "sha256": sha256_of(self.folder / name), "episodes": len(demonstrations),
            "ticks": sum(len(d) for d in demonstrations), "labels": sum(d.labels for d in demonstrations),
            "format": FORMAT,
        }  # fmt: skip
        self._index.cut_torn_line()
        self._index.append([entry])
        return name

    def tags(self) -> list[str]:
        """Tags of the shards in the index."""
        return [str(e["tag"]) for e in self.entries()]

    def read(self, tags: Iterable[str] | None = None) -> list[Demonstration]:
        """All episodes of the given shards (of all when None), in the order of the index.

        A damaged shard is skipped and recorded in `damaged`.

        Raises:
            ValueError: when a wanted tag is not in the index, or every wanted shard is damaged.
        """
        wanted = None if tags is None else list(tags)
        entries = self.entries()
        if missing := sorted(set(wanted or ()) - {str(e["tag"]) for e in entries}):
            raise ValueError(f"no shard {missing} in {self.folder}; it has {[e['tag'] for e in entries]}")
        chosen = [e for e in entries if wanted is None or e["tag"] in wanted]
        found: list[Demonstration] = []
        for entry in chosen:
            path = self.folder / str(entry["file"])
            reason = self._damage(path, entry)
            if reason:
                self.damaged[path.name] = reason
                continue
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
                columns = {name: table.column(name) for name in table.column_names}
                found += [_demonstration({n: c[i] for n, c in columns.items()}) for i in range(table.num_rows)]
        if chosen and not found:
            raise ValueError(f"no usable shard in {self.folder}: {self.damaged}")
        return found

    def _damage(self, path: Path, entry: dict[str, object]) -> str | None:
        if not path.exists():
            return "the file is missing"
        if entry["format"] != FORMAT:
            return f"format {entry['format']}, this version reads {FORMAT}"
        digest = sha256_of(path)
        if digest != entry["sha256"]:
            return f"its SHA-256 is {digest[:12]}…, the index says {str(entry['sha256'])[:12]}…"
        return None
