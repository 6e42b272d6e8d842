"""Places an episode's actors and signs relative to the junction, so that any map can hold them.

Poses are x, y [m], yaw [rad] in the world frame; an actor's pose is that of its rear axle.
"""

from __future__ import annotations

import numpy as np

from sim.actors.kinds.barrier import BOOM_POST
from sim.actors.registry import BODIES
from sim.actors.signs import POST
from sim.datatypes.episode import ActorSpec, Episode, SignSpec
from sim.datatypes.road_map import Junction, Path, Route
from sim.datatypes.vocabulary import DECISIONS, ROUTE_SPACING

LANES = ("inbound", "outbound")  # of an arm: towards the junction, away from it
_LONGEST_BODY = max(body.length for body in BODIES.values())


def pose_at(path: Path, s: float) -> tuple[float, float, float]:
    """x, y [m], yaw [rad] at `s` [m] along a path; at the nearer end where `s` is beyond the path."""
    points, spacing = path.points, float(ROUTE_SPACING)
    if s <= 0.0 or s >= (len(points) - 1) * spacing:
        x, y, yaw = points[0 if s <= 0.0 else -1, :3].tolist()
        return x, y, yaw
    k = int(s / spacing)
    ahead = s - k * spacing
    x, y, yaw = (
        (b - a) / spacing * ahead + a for a, b in zip(points[k, :3].tolist(), points[k + 1, :3].tolist())
    )  # np.interp over the whole path gives the same bits, and takes seven times as long
    return x, y, yaw


def actor_slots(episode: Episode) -> int:
    """The number of slots that an episode takes: ego, actors, signs and background traffic."""
    traffic = episode.traffic.slots if episode.traffic else 0
    return 1 + len(episode.actors) + len(episode.signs) + traffic


def ways_of(episode: Episode, junction: Junction | Route) -> tuple[Route, ...]:
    """The routes that ego may take: all from its arm, or the one that the episode names.

    Raises:
        ValueError: where there is none.
    """
    if isinstance(junction, Route):
        return (junction,)
    routes = junction.routes_from(episode.arm)
    if not routes:
        raise ValueError(
            f"no way through the place of kind {junction.kind!r} from arm {episode.arm!r}; "
            f"arms with one are {sorted({r.origin for r in junction.routes})}"
        )
    named = tuple(r for r in routes if DECISIONS[r.decision] == episode.way)
    if episode.way and not named:
        known = ", ".join(DECISIONS[r.decision] for r in routes)
        raise ValueError(f"no way {episode.way!r} from arm {episode.arm!r}; ways from there are {known}")
    return named or routes


def actor_place(spec: ActorSpec, junction: Junction) -> tuple[Path, float, float, float, float]:
    """The lane that an actor starts on or beside, its distance along it [m], and its pose x, y, yaw.

    A raised barrier has the place of the same barrier with its boom down, and the pose of its post.
    """
    arm = junction.arms[spec.arm]
    lane = arm.inbound if spec.lane == "inbound" else arm.outbound
    s = lane.length - spec.distance if spec.lane == "inbound" else spec.distance
    s = float(np.clip(s, 0.0, lane.length - 1.0))
    x, y, yaw = pose_at(lane, s)
    side = spec.side + (BOOM_POST if spec.kind == "raised_barrier" else 0.0)
    return lane, s, x + side * np.sin(yaw), y - side * np.cos(yaw), yaw


def sign_place(sign: SignSpec, junction: Junction) -> tuple[float, float, float]:
    """The position of a sign's post, and the heading of the lane beside it: x, y, yaw."""
    lane = junction.arms[sign.arm].inbound
    x, y, yaw = pose_at(lane, float(np.clip(lane.length - sign.distance, 0.0, lane.length)))
    return x + sign.side * np.sin(yaw), y - sign.side * np.cos(yaw), yaw


def reserved_areas(episode: Episode, junction: Junction) -> list[tuple[float, float, float]]:
    """Circles x, y, radius [m] that traffic leaves free for the actors and signs of an episode.

    They do not depend on whether an actor is present, nor on its kind: twins have the same traffic.
    """
    actors = [
        (*actor_place(spec, junction)[2:4], _LONGEST_BODY / 2)
        for spec in episode.actors
        if spec.arrival_offset is None and not spec.bay
    ]
    for arm in sorted(
        {spec.arm for spec in episode.actors if spec.arrival_offset is not None}
    ):  # they start somewhere on it
        points = junction.arms[arm].inbound.points[:: round(_LONGEST_BODY / float(ROUTE_SPACING))]
        actors += [(float(x), float(y), _LONGEST_BODY / 2) for x, y in points[:, :2]]
    return actors + [(*sign_place(sign, junction)[:2], POST / 2) for sign in episode.signs]
