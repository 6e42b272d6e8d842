"""Render films of recordings: from behind an actor and from above, with the clients' debug drawings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.carla.server.debug_drawing import DrawingCamera, in_view, letter, on_plan, paint, paint_plan
from sim.carla.server.recording.replay import Replay, ReplayedActor
from sim.datatypes.camera import Camera
from sim.datatypes.vocabulary import WEATHER_INDEX
from sim.render.rgb import render
from sim.sensors.depth import depth_image
from sim.viz.markers import EGO_COLOUR, Box, boxes_of, lamps_of
from sim.viz.top_down import FAINT, INK, PAPER, Line, Text, background, text_width, top_down, write
from sim.viz.video import fitted, hud
from sim.viz.viewport import Viewport

VIEW = Camera(width=640, height=360, fov=90.0, up=3.2, pitch=-12.0)  # behind the followed actor
BEHIND = 5.5  # [m] from the bumper to the camera
OVER = 1.2  # [m] from the roof to the camera at least
SPAN = 90.0  # [m] across the map beside it
_MARGIN = 10.0  # [m] around a map that is shown whole
_TRAIL = 400  # moments of a trail
_HEAD, _EDGE, _FOOT = 62, 12, 24  # [px]


@dataclass(frozen=True)
class Shot:
    """The layout of a film.

    Args:
        title: of every picture. who: the actor to follow; None shows the whole map from above instead.
        width, height: of the large picture [px]. span: of the map beside it [m].
    """

    title: str
    who: ReplayedActor | None
    width: int = VIEW.width
    height: int = VIEW.height
    span: float = SPAN


def film(playback: Replay, shot: Shot) -> Iterator[np.ndarray]:
    """Yield a picture (H, W, 3) for every moment of a recording, from the spawn of the followed actor on.

    Once that actor is destroyed, the camera stays at its last place.
    """
    trail: list[tuple[float, float]] = []
    camera = replace(VIEW, width=shot.width, height=shot.height)
    row, whole = 0, None
    bases: dict[float, np.ndarray] = {}  # the map alone, by its wetness
    for moment in playback:
        if shot.who is None:
            window = whole = whole or _whole(moment, shot)
            wet = _wet(moment)
            bases = bases if wet in bases else {wet: background(moment.road_map, window, wet)}
            yield _page(shot, moment, None, _from_above(moment, window, base=bases[wet]))
            continue
        row = moment.rows.get(shot.who.id, 0)
        if row:
            camera = _behind(moment, camera, row, trail)
        if trail:
            window = Viewport(trail[-1], shot.span, shot.height, shot.height)
            beside = _from_above(moment, window, row, [Line(np.array(trail))])
            yield _page(shot, moment, _road(moment, camera, row), beside)


def _behind(playback: Replay, camera: Camera, row: int, trail: list[tuple[float, float]]) -> Camera:
    """Return the camera behind the actor in `row`; puts row 0 there, and extends the trail."""
    world = playback.fleet.world
    for name in ("x", "y", "yaw", "speed", "steer"):
        getattr(world, name)[0, 0] = getattr(world, name)[0, row]
    ahead, yaw = float(playback.fleet.middle[row]), float(world.yaw[0, row])
    trail.append((float(world.x[0, row]) + ahead * math.cos(yaw), float(world.y[0, row]) + ahead * math.sin(yaw)))
    del trail[:-_TRAIL]
    up = max(VIEW.up, float(world.height[0, row]) + OVER)
    return replace(camera, forward=-float(world.overhang[0, row]) - BEHIND, up=up)


def _road(playback: Replay, camera: Camera, row: int) -> np.ndarray:
    """Render the view of row 0's camera."""
    world = playback.fleet.world
    world.tick[0] = playback.moments
    picture = render(playback.maps.arrays, world, camera)[0]
    if playback.drawings:
        eye = DrawingCamera.on(world, camera)
        paint(picture, playback.drawings, eye, depth_image(playback.maps, world, camera)[0, ..., 0])
        picture = letter(picture, playback.drawings, in_view(eye), 13)
    return hud(picture, abs(float(world.speed[0, row])), float(world.steer[0, row])) if row else picture


def _whole(playback: Replay, shot: Shot) -> Viewport:
    """Return a viewport of the whole map."""
    ground = playback.road_map.ground
    size = np.array(ground.levels[0].shape[1::-1]) * ground.texel
    x, y = (float(v) for v in np.array(ground.origin) + size / 2.0)
    across = float(max(size[0], size[1] * shot.width / shot.height)) + _MARGIN
    return Viewport((x, y), across, shot.width, shot.height)


def _wet(playback: Replay) -> float:
    """Return the wetness of the road, 0 to 1."""
    return float(playback.fleet.world.weather[0, WEATHER_INDEX["wetness"]]) / 100


def _from_above(
    playback: Replay, window: Viewport, row: int = 0, lines: Sequence[Line] = (), base: np.ndarray | None = None
) -> np.ndarray:
    """Render a piece of the map with all actors, lights and drawings; the actor in `row` has a white rim."""
    lamps = lamps_of(playback.maps.arrays, playback.fleet.world, 0)
    boxes = _boxes(playback, row)
    picture = top_down(playback.road_map, window, boxes, lines, _wet(playback), base, lamps)
    paint_plan(picture, playback.drawings, window)
    return letter(picture, playback.drawings, on_plan(window), 11)


def _boxes(playback: Replay, row: int) -> list[Box]:
    """Return the boxes of all actors from above, the one in `row` last and in ego's colour."""
    world = playback.fleet.world
    boxes = list(boxes_of(world, 0))
    rows = [i for i in reversed(range(world.kind.shape[1])) if world.kind[0, i]]
    if row in rows:
        ego = boxes.pop(rows.index(row))
        boxes.append(replace(ego, ego=True, colour=EGO_COLOUR))
    return boxes


def _page(shot: Shot, playback: Replay, road: np.ndarray | None, above: np.ndarray) -> np.ndarray:
    """Return both pictures side by side, with a header and captions."""
    left = 0 if road is None else road.shape[1] + _EDGE
    width, low = left + above.shape[1] + 2 * _EDGE, _HEAD + above.shape[0]
    page = np.full((low + _FOOT + _EDGE, width + width % 2, 3), PAPER, np.uint8)
    if road is not None:
        page[_HEAD : _HEAD + road.shape[0], _EDGE : _EDGE + road.shape[1]] = road
    page[_HEAD:low, _EDGE + left : _EDGE + left + above.shape[1]] = above
    clock = f"{playback.time:.1f} s"
    said = [f"{len(playback.rows)} bodies", f"{len(playback.drawings)} drawings of clients"]
    said = said if shot.who is None else [f"following {shot.who}", *said]
    if shot.who is not None and shot.who.id not in playback.rows:
        said[0] += ", which no longer exists"
    below = "from above, north up" if shot.who is None else "north is up; the followed actor has a white rim"
    room = width - 3 * _EDGE
    return write(page, [
        fitted(shot.title, _EDGE, 30, 20, room - text_width(clock, 20), INK, bold=True),
        fitted("  ·  ".join(said), _EDGE, 51, 13, room, FAINT),
        Text(clock, width - _EDGE, 30, 20, FAINT, anchor="rs"),
        fitted(below, _EDGE + left, low + 16, 12, above.shape[1], FAINT),
    ])  # fmt: skip
