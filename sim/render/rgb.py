"""RGB camera: render every world from ego's pose, on one core in tens of microseconds each.

The camera is a pinhole on ego with yaw and pitch but no roll.  A camera that looks steeply up or down, or past its own
foot, sees all around it, see `sim.render.tilted_camera`.  The passes of each world are: sky, ground with shadows,
objects front to back with a depth buffer, reflections on a wet road, contact shadows under cars and pools of lamp
light, then rain.  The picture of a world depends on its own row of `World` alone, never on the batch, the threads or
the neighbours.  Image rows grow downwards, columns to the right.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from sim.core.constants import RAD
from sim.core.kernel import kernel, parallel_for
from sim.datatypes.camera import Camera
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.render.ground import draw_ground, draw_mirror
from sim.render.lighting import FOG, HEAD, LIGHT_SIZE, NIGHT, PUDDLES, WET
from sim.render.objects import ITEM, cull, draw_contact_shadows, draw_objects
from sim.render.poses import camera_pose
from sim.render.rasterizer import new_scratch
from sim.render.scene import most_objects, scene_of
from sim.render.shading import DEPTHS, ColourTarget, fog_over_depth, sun_in_view
from sim.render.shadows import cast_shadows
from sim.render.signs import draw_signs
from sim.render.sky import draw_sky, noise
from sim.render.tilted_camera import AROUND, beams
from sim.render.traffic_lights import draw_lights
from sim.render.weather.effects import draw_effects, weather_light

SMOOTH_FROM = 200  # rows; images at least this tall are sampled bilinearly everywhere
BEAM_WIDTH = 0.50  # angular width of ego's headlights [rad]
WIDEST = 179.99  # [deg] field of view
STEEP = 60.0  # [deg] of pitch up or down beyond which a camera sees all around


class CameraRays(NamedTuple):
    """A camera's rays as tables.

    Args:
        rows: (H, 4) float32: upward and forward part of the row's ray, depth at which it meets the ground (0 above
            the horizon) [m], share of the headlights' light that reaches an object there.
        cols: (4, W) float32: rightward part of the column's ray, its azimuth off the axis [rad], the headlights'
            strength, spare; (4 + H, W) where it sees all around: then that strength follows row by row.
        geometry: (8,) float32: focal length [px], centre row, sine and cosine of the pitch, radius around it that the
            camera sees [m] (0 where it looks ahead), cosine and sine of half the angle of view (0 where it sees all
            around), height [m].
        mount: (3,) float32: forward, left [m] of the rear axle, yaw [rad].
        horizon: first row that sees the ground.

    `cols` and `geometry` are read-only where the camera sees all around: see `sim.render.tilted_camera`.
    """

    rows: np.ndarray
    cols: np.ndarray
    geometry: np.ndarray
    mount: np.ndarray
    horizon: int


@functools.lru_cache(maxsize=32)
def camera_rays(camera: Camera) -> CameraRays:
    """Compute the ray tables of a camera.

    Raises:
        ValueError: for an impossible image size, angle or height.
    """
    if camera.width < 2 or camera.height < 2:
        raise ValueError(f"camera is {camera.width} x {camera.height} px; at least 2 x 2 is needed")
    if not 5.0 <= camera.fov <= WIDEST:
        raise ValueError(f"camera has fov={camera.fov}; wanted 5 to {WIDEST:g} degrees")
    if not camera.up > 0.05:
        raise ValueError(f"camera has up={camera.up}; wanted more than 0.05 m above the ground")
    if not abs(camera.pitch) <= 90.0:
        raise ValueError(f"camera has pitch={camera.pitch}; wanted -90 to 90 degrees")
    focal = camera.width / 2.0 / math.tan(camera.fov * RAD / 2.0)
    middle = camera.height / 2.0
    sine, cosine = math.sin(camera.pitch * RAD), math.cos(camera.pitch * RAD)
    tilt = (middle - np.arange(camera.height) - 0.5) / focal
    up, ahead = sine + tilt * cosine, cosine - tilt * sine
    below = up < -1e-4
    depth = np.where(below, camera.up / np.where(below, -up, 1.0), 0.0)
    elevation = np.arctan2(up, ahead)
    lit = np.clip(1.0 - np.maximum(elevation + 0.01, 0.0) / 0.16, 0.12, 1.0)
    right = (np.arange(camera.width) + 0.5 - camera.width / 2.0) / focal
    azimuth = -np.arctan2(right, cosine)
    angle = (azimuth + camera.yaw * RAD) / BEAM_WIDTH
    beam = 0.85 * np.exp(-(angle**2)) + 0.15 * np.exp(-(angle**2) / 6.0)
    around, across, along = 0.0, 0.0, 0.0
    if abs(camera.pitch) > STEEP or ahead.min() < 0.0:
        farthest = depth * np.hypot(ahead, right[-1]) if below.all() else np.array([AROUND])
        around = min(float(farthest.max()) + 1.0, AROUND)
    else:
        half = math.atan(np.abs(right).max() * 1.02 / max(float(ahead.min()), 0.05) + 1.0 / focal)
        across, along = math.cos(half), math.sin(half)
    view = CameraRays(
        np.stack([up, ahead, depth, lit], 1).astype(np.float32),
        np.stack([right, azimuth, beam, np.zeros_like(right)]).astype(np.float32),
        np.array([focal, middle, sine, cosine, around, across, along, camera.up], np.float32),
        np.array([camera.forward, camera.left, camera.yaw * RAD], np.float32),
        int(np.argmax(below)) if below.any() else camera.height,
    )
    if around > 0.0:
        of_rows = beams(camera.width, camera.height, camera.fov, camera.pitch, camera.yaw, BEAM_WIDTH)
        view = view._replace(cols=np.concatenate([view.cols, of_rows]))
        view.cols.flags.writeable = view.geometry.flags.writeable = False
    return view


@functools.lru_cache(maxsize=1)
def _noise() -> np.ndarray:
    return noise()


class Background(NamedTuple):
    """What the picture has beside the scene: ground, sky and weather.

    Args:
        texels: (X,) uint32, RGB and one byte more. level_start, level_shape, origin, texel, skyline: of `MapArrays`.
        tick, seed, weather, clock: of `World`. noise: from `sim.render.sky.noise`.
    """

    texels: np.ndarray
    level_start: np.ndarray
    level_shape: np.ndarray
    origin: np.ndarray
    texel: np.ndarray
    skyline: np.ndarray
    tick: np.ndarray
    seed: np.ndarray
    weather: np.ndarray
    clock: np.ndarray
    noise: np.ndarray


@kernel
def _draw(first, stop, out, view, scene, background, smooth):
    """Draw worlds first .. stop; each range has its own scratch arrays."""
    rows, cols, geometry, horizon = view.rows, view.cols, view.geometry, view.horizon
    noise = background.noise
    high, wide = rows.shape[0], cols.shape[1]
    zb = np.empty((high, wide), np.float32)
    scratch = new_scratch(high)
    light = np.empty(6, np.float32)
    table = np.empty(LIGHT_SIZE, np.float32)
    fog = np.empty(DEPTHS, np.float32)
    line = np.empty((4, wide), np.float32)
    packed = np.empty(wide, np.uint32)
    shaded = np.empty(wide, np.uint32)
    shine = np.empty((high, wide), np.float32)
    shade = np.empty((high, wide), np.float32)
    touched = np.empty(high, np.uint8)
    pool = np.empty(wide, np.float32)
    top = np.empty(wide, np.float32)
    base = np.empty(wide, np.int32)
    most = most_objects(scene)
    item = np.empty((most, ITEM), np.float32)
    order = np.empty(most, np.int32)
    for w in range(first, stop):
        o = out[w]
        m = scene.map[w]
        pose = camera_pose(scene, w, view.mount)
        cam_x, cam_y, cam_yaw = pose
        weather_light(background.weather[w], table)
        zb[:] = np.float32(0.0)
        draw_sky(o, rows, cols, geometry, horizon, cam_yaw, table, background.skyline[m], noise[0], smooth, top, line,
                 shaded)  # fmt: skip
        cast_shadows(shade, touched, view, pose, table, w, scene)
        draw_ground(o, rows, cols, geometry, horizon, cam_x, cam_y, cam_yaw, smooth, table, noise, packed, shaded,
                    shine, shade, touched, pool, background.texels, background.level_start[m],
                    background.level_shape[m], background.origin[m], background.texel[m])  # fmt: skip
        fog_over_depth(table, fog)
        target = ColourTarget(
            zb, o, light, rows, cols, table, fog, sun_in_view(table, geometry, cam_yaw),
            (table[FOG], table[FOG + 1], table[FOG + 2]), table[NIGHT], table[HEAD], smooth,
        )  # fmt: skip
        count = cull(item, order, geometry, pose, w, scene)
        draw_objects(target, item, order, count, geometry, scratch, scene.mesh, scene.pictures)
        draw_signs(target, w, pose, geometry, scratch, scene)
        draw_lights(o, zb, item, count, geometry, table, fog, background.clock[w])
        if table[WET] > np.float32(0.0) or table[PUDDLES] > np.float32(0.0):
            draw_mirror(o, zb, geometry, horizon, table, shine, base)
        draw_contact_shadows(o, zb, item, count, geometry, rows, cols, horizon, table)
        draw_effects(o, background.seed[w], background.tick[w], geometry, horizon, cols, table)


def render(
    bank: MapArrays, world: World, camera: Camera, out: np.ndarray | None = None, *, threads: int = 1
) -> np.ndarray:
    """Render the RGB camera of every ego.

    Args:
        bank: the maps.
        world: B worlds.
        camera: mounted on every ego; ego itself is not drawn.
        out: (B, H, W, 3) uint8 to draw into; a new array when not given.
        threads: greatest number of threads; the picture does not depend on it.

    Returns:
        (B, H, W, 3) uint8, RGB.

    Raises:
        ValueError: when `out` has another shape or type, or the camera is impossible.
    """
    view = camera_rays(camera)
    wanted = (len(world.tick), camera.height, camera.width, 3)
    if out is None:
        out = np.empty(wanted, np.uint8)
    elif out.shape != wanted or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ValueError(f"out is {out.shape} {out.dtype}; wanted {wanted} uint8, contiguous")
    scene = scene_of(bank, world)
    # the kernels read a texel's four bytes as one number
    texels = bank.texels.view("<u4").reshape(-1)
    background = Background(
        texels, bank.level_start, bank.level_shape, bank.ground_origin, bank.ground_texel, bank.skyline, world.tick,
        world.seed, world.weather, world.clock, _noise(),
    )  # fmt: skip
    smooth = camera.height >= SMOOTH_FROM
    parallel_for(lambda first, stop: _draw(first, stop, out, view, scene, background, smooth), wanted[0], threads)
    return out
