"""Claims about the camera: it sees what geometry says, each world alone, rain visibly, and the same on every redraw.

Redraw the golden images with: REDRAW_GOLDEN=1 python -m pytest tests/sim/render/test_rgb.py -k golden
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numba
import numpy as np
import pytest

from sim.actors.registry import BODIES, KIND
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Weather
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.render import (
    ground as underfoot,
)
from sim.render import (
    lighting as weather,
)
from sim.render import (
    objects,
    shading,
    shadows,
    sky,
)
from sim.render import (
    traffic_lights as lights,
)
from sim.render.assets import textures
from sim.render.assets.texel import LAMP, LEVELS
from sim.render.rasterizer import new_scratch
from sim.render.rgb import camera_rays, render
from sim.render.scene import scene_of
from sim.render.weather.dust import draw_dust, dust_light
from sim.render.weather.rain import draw_rain
from sim.road.map.map_batch import MapBatch

GOLDEN = Path(__file__).parents[2] / "golden"
SMALL = Camera()
DAY = Weather()
NIGHT = Weather(sun_altitude_angle=-20.0)
WEATHERS = {
    "day": DAY,
    "rain": Weather(precipitation=80.0, cloudiness=90.0, wind_intensity=40.0),
    "fog": Weather(fog_density=50.0, cloudiness=60.0),
    "dusk": Weather(sun_altitude_angle=2.0, sun_azimuth_angle=-80.0),
    "night": NIGHT,
    "night_rain": replace(NIGHT, precipitation=80.0, cloudiness=90.0),
    "dust": Weather(dust_storm=70.0, wind_intensity=80.0),
}


def _twin():
    """The slow twin, loaded by its place: `tests` need not be a package."""
    spec = importlib.util.spec_from_file_location("twin_camera", GOLDEN.parent / "reference" / "camera.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _pyramid(level: np.ndarray, least: int) -> list[np.ndarray]:
    levels = [level]
    while levels[-1].shape[0] // 2 >= least:
        f = levels[-1].astype(np.float32)
        levels.append(((f[::2, ::2] + f[1::2, ::2] + f[::2, 1::2] + f[1::2, 1::2]) / 4).round().astype(np.uint8))
    return levels


def _bank(levels: list[np.ndarray], texel: float, scenery: list[tuple[float, ...]]) -> MapArrays:
    """One map whose ground is centred on the origin."""
    sizes = [level.shape[0] * level.shape[1] for level in levels]
    half = levels[0].shape[0] * texel / 2
    rows = np.array(scenery, np.float64).reshape(-1, 8)
    azimuth = np.arange(512) / 512 * 2 * np.pi
    return MapBatch().arrays._replace(
        texels=np.concatenate([level.reshape(-1, 4) for level in levels]),
        level_start=np.cumsum([0, *sizes])[None, :-1].astype(np.int64),
        level_shape=np.array([[level.shape[:2] for level in levels]], np.int32),
        ground_origin=np.array([[-half, -half]], np.float32), ground_texel=np.array([texel], np.float32),
        surface=np.zeros(1, np.uint8), surface_start=np.zeros(1, np.int64), surface_shape=np.ones((1, 2), np.int32),
        surface_texel=np.ones(1, np.float32), scenery=rows, scenery_start=np.array([0, len(rows)], np.int64),
        skyline=(0.03 + 0.015 * np.sin(9 * azimuth) * np.sin(2 * azimuth))[None].astype(np.float32),
        points=np.zeros((2, 4), np.float32), path_start=np.array([0, 2], np.int64),
        junction_in=np.zeros(1, np.float32), junction_out=np.zeros(1, np.float32), decision=np.zeros(1, np.int32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def town() -> MapArrays:
    """A T: road from the south, road across, houses, trees, lamps, a fence."""
    size, middle = 800, 400
    rng = np.random.default_rng(0)
    ground = np.zeros((size, size, 4), np.uint8)
    ground[..., :3] = np.clip(rng.normal(0, 7, (size, size, 1)) + np.array([94, 116, 68]), 0, 255)
    ground[: middle + 14, middle - 14 : middle + 14] = ground[middle - 14 : middle + 14] = (84, 85, 88, 255)
    for k in range(0, middle - 20, 20):
        ground[k : k + 10, middle - 1 : middle + 1, :3] = 228
    ground[middle - 17 : middle - 15, middle : middle + 14, :3] = 232
    rows: list[tuple[float, ...]] = []
    for k, y in enumerate(range(-90, -8, 13)):
        rows += [(KIND["tree"], s * 10.5, y + 2 * s, 0, 5, 5, 7, k * 3 + (s > 0)) for s in (-1, 1)]
        rows += [(KIND["lamp"], -6.4, y + 5, 0, 4, 0.2, 6.5, 0)]
    rows += [(KIND["building"], 24 * k, 22, np.pi / 2, 12, 20, 13, 0xC9B79C + k) for k in range(-2, 3)]
    rows += [(KIND["house"], s * 22, y, np.pi / 2, 11, 9, 7, 0xB5654A + s) for s in (-1, 1) for y in (-70, -45, -20)]
    rows += [(KIND["fence"], 14, y, np.pi / 2, 8, 0.1, 1.1, 0) for y in (-44, -36, -28)]
    return _bank(_pyramid(ground, 25), 0.25, rows)


def _world(weathers: list[Weather], seed: int = 5, tick: int = 3, actors: bool = True, y: float = -36.0) -> World:
    count, room = len(weathers), 5
    per_world = {"seed": np.uint32, "tick": np.int32, "map": np.int32, "outcome": np.int32, "shown_decision": np.int32,
                 "time_limit": np.int32, "clock": np.int32, "collided_with": np.int32}  # fmt: skip
    arrays = {n: np.zeros(count, t) for n, t in per_world.items()}
    for name in World._fields[len(per_world) + 1 :]:
        kind = np.int32 if name in ("kind", "appearance", "path", "route") else np.float32
        arrays[name] = np.zeros((count, room), kind)
    arrays["weather"] = np.stack([w.array() for w in weathers])
    arrays["seed"][:], arrays["tick"][:] = seed, tick
    others = [("car", 5.2, y + 12, np.pi / 2, 0xB03028), ("van", -1.75, y + 20, -np.pi / 2, 0xE0E0E0),
              ("truck", 9.0, 1.8, np.pi, 0x3060A0), ("car", 1.75, y + 24, np.pi / 2, 0x2850A0)]  # fmt: skip
    for i, (kind, px, py, yaw, look) in enumerate([("car", 1.75, y, np.pi / 2, 0), *(others if actors else [])]):
        vehicle = BODIES[kind]
        for name in ("length", "width", "height", "overhang", "wheelbase"):
            arrays[name][:, i] = getattr(vehicle, name)
        for name, value in (("x", px), ("y", py), ("yaw", yaw), ("kind", KIND[kind]), ("appearance", look)):
            arrays[name][:, i] = value
    return World(**arrays)


def _row(world: World, w: int) -> World:
    return World(*(a[w : w + 1].copy() for a in world))


def _light(w: Weather) -> np.ndarray:
    table = np.zeros(weather.LIGHT_SIZE, np.float32)
    weather.lighting(w.array(), table)
    return table


def test_ground_pixels_show_the_texel_that_a_ray_finds():
    rng = np.random.default_rng(1)
    ground = np.zeros((300, 300, 4), np.uint8)
    ground[..., :3] = np.where(rng.random((300, 300, 1)) < 0.5, 20, 200)
    world, camera = _world([DAY], actors=False, y=-6.0), Camera(width=48, height=32, pitch=-9.0, yaw=17.0, left=0.4)
    world.yaw[:, 0] = 1.1
    image = render(_bank([ground], 0.2, []), world, camera)[0]
    pose = (float(world.x[0, 0]), float(world.y[0, 0]), float(world.yaw[0, 0]))
    texel = _twin().ground_texels(camera, pose, np.array([-30.0, -30.0]), 0.2, (300, 300))
    on_map = texel >= 0
    assert on_map.mean() > 0.4
    bright = ground.reshape(-1, 4)[np.maximum(texel, 0), 0] > 100
    # texels are small enough not to be blended; at a border float32 may fall to either side
    assert ((image[..., 1] > 85) == bright)[on_map].mean() > 0.985


def test_walls_have_the_place_texture_and_light_that_a_ray_finds():
    boxes = [
        (KIND["building"], 3.0, 5.0, 0.5, 13.0, 9.0, 7.0, 0xC9B79D),
        (KIND["building"], -13.0, 2.0, -1.2, 10.0, 8.0, 12.0, 0xA05A46),
        (KIND["building"], 14.0, -5.0, 2.9, 8.0, 13.0, 6.0, 0x9098A0),
    ]
    camera = Camera(width=150, height=100, pitch=5.0, yaw=-6.0)
    world = _world([DAY], actors=False, y=-14.0)
    ground = np.zeros((32, 32, 4), np.uint8)
    bare = render(_bank([ground], 8.0, []), world, camera)[0]
    image = render(_bank([ground], 8.0, boxes), world, camera)[0]
    pose = (float(world.x[0, 0]), float(world.y[0, 0]), float(world.yaw[0, 0]))
    wanted = _twin().buildings(camera, pose, np.array(boxes), _light(DAY))
    wall = ~np.isnan(wanted[..., 0])
    drawn = (image != bare).any(-1)
    assert 0.15 < wall.mean() < 0.9
    # a silhouette's pixel centres may fall to either side in float32
    assert (drawn != wall).mean() < 0.005
    both = drawn & wall
    close = np.abs(image[both] - wanted[both]).max(-1) < 4.0  # fog is tabulated by the metre: up to 1 or 2 levels
    assert close.mean() > 0.96  # the rest are borders of texels


def test_a_world_looks_the_same_alone_in_a_batch_and_on_any_thread(town: MapArrays):
    world = _world(list(WEATHERS.values()) * 12)
    world.x[:, 0] += np.linspace(-1, 1, len(world.tick), dtype=np.float32)
    world.seed[:] = np.arange(len(world.tick))
    batch = render(town, world, SMALL)
    np.testing.assert_array_equal(render(town, world, SMALL, threads=3), batch)
    for w in (0, 1, 5, 40, 71):
        np.testing.assert_array_equal(render(town, _row(world, w), SMALL)[0], batch[w])


def test_maps_laid_end_to_end_do_not_mix(town: MapArrays):
    other = _bank([np.full((16, 16, 4), 90, np.uint8)], 4.0, [(KIND["house"], 0, 0, 0, 9, 9, 7, 3)])
    levels = town.level_start.shape[1]
    both = town._replace(
        texels=np.concatenate([town.texels, other.texels]),
        level_start=np.stack([town.level_start[0], [len(town.texels)] + [-1] * (levels - 1)]).astype(np.int64),
        level_shape=np.stack([town.level_shape[0], [(16, 16)] + [(0, 0)] * (levels - 1)]).astype(np.int32),
        ground_origin=np.concatenate([town.ground_origin, other.ground_origin]),
        ground_texel=np.concatenate([town.ground_texel, other.ground_texel]),
        scenery=np.concatenate([town.scenery, other.scenery]),
        scenery_start=np.array([0, len(town.scenery), len(town.scenery) + 1]),
        skyline=np.concatenate([town.skyline, other.skyline]),
    )
    world = _world([DAY, DAY])
    world.map[1] = 1
    image = render(both, world, SMALL)
    np.testing.assert_array_equal(image[0], render(town, _row(world, 0), SMALL)[0])
    alone = _row(world, 1)
    alone.map[:] = 0
    np.testing.assert_array_equal(image[1], render(other, alone, SMALL)[0])


@pytest.mark.parametrize("base", [DAY, NIGHT], ids=["day", "night"])
def test_rain_shows_by_day_and_by_night_and_falls(town: MapArrays, base: Weather):
    wet = replace(base, precipitation=60.0)
    dry, rainy = render(town, _world([base, wet]), SMALL).astype(int)
    later = render(town, _world([wet], tick=4), SMALL)[0].astype(int)
    falling = np.abs(later - rainy).max(-1) > 12  # light and wetness are the same: only drops differ
    assert 0.03 < falling.mean() < 0.6
    assert (np.abs(rainy - dry).max(-1) > 8).mean() > 0.2


def test_drops_follow_from_seed_and_tick_alone(town: MapArrays):
    wet = [WEATHERS["rain"]] * 2
    first, again = (render(town, _world(wet), SMALL) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], first[1])
    assert (render(town, _world(wet, seed=6), SMALL) != first).any()


def test_without_rain_nothing_depends_on_seed_or_tick(town: MapArrays):
    a = render(town, _world([DAY, NIGHT], seed=1, tick=1), SMALL)
    np.testing.assert_array_equal(render(town, _world([DAY, NIGHT], seed=2, tick=99), SMALL), a)


def test_twins_that_differ_in_an_actor_differ_only_where_it_is_or_casts_shade(town: MapArrays):
    world = _world([DAY, DAY])
    world.kind[1, 1] = 0  # the parked car on the right
    a, b = render(town, world, SMALL)
    changed = (a != b).any(-1)
    assert 0.005 < changed.mean() < 0.2
    assert not changed[:, : SMALL.width // 2].any()


def test_ego_is_not_in_its_own_picture(town: MapArrays):
    world = _world([DAY])
    before = render(town, world, SMALL)
    world.kind[:, 0], world.appearance[:, 0] = KIND["truck"], 0xFF0000
    np.testing.assert_array_equal(render(town, world, SMALL), before)


def test_a_vehicle_is_placed_by_its_rear_axle(town: MapArrays):
    world, camera = _world([DAY], actors=False), Camera(width=192, height=128)
    bare = render(town, world, camera)[0]
    world.kind[0, 1], world.appearance[0, 1] = KIND["van"], 0xFFFFFF
    world.length[0, 1], world.width[0, 1], world.height[0, 1], world.overhang[0, 1] = 5.2, 2.0, 2.3, 1.0
    world.x[0, 1], world.y[0, 1], world.yaw[0, 1] = 1.75, world.y[0, 0] + 6.0, np.pi / 2
    rows = np.nonzero((render(town, world, camera)[0] != bare).any(-1).any(1))[0]
    # its rear face stands one overhang behind the axle and is 2.3 m tall; half a metre off would be 2 rows
    ahead, rise = 6.0 - 1.0 - camera.forward, 2.3 - camera.up
    focal, middle, sine, cosine = camera_rays(camera).geometry[:4]
    top = middle - focal * (rise * cosine - ahead * sine) / (ahead * cosine + rise * sine)
    assert abs(rows[0] - top) <= 1.0


def test_headlights_show_the_markings_at_night(town: MapArrays):
    image = render(town, _world([NIGHT], actors=False), SMALL)[0].astype(int).sum(-1)
    road = image[40:58, 20:76]
    assert np.percentile(road, 99.5) > 1.6 * np.median(road) > 60
    assert image[:20].mean() < 0.5 * np.median(road)  # the sky is darker than the lit road


def test_fog_hides_what_is_far_and_not_what_is_near(town: MapArrays):
    clear, thick = render(town, _world([DAY, replace(DAY, fog_density=70.0)]), SMALL).astype(float)
    far, near = np.s_[26:30, :], np.s_[58:64, 30:70]
    assert thick[far].std() < 0.5 * clear[far].std()
    assert np.abs(thick[near] - clear[near]).mean() < 45


@pytest.mark.parametrize("change", [{"width": 1}, {"fov": 0.0}, {"up": 0.0}, {"pitch": 95.0}])
def test_an_impossible_camera_is_refused_with_its_value(town: MapArrays, change: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(change)) if "width" not in change else "1 x 64"):
        render(town, _world([DAY]), replace(SMALL, **change))


def test_an_out_array_of_another_shape_is_refused(town: MapArrays):
    with pytest.raises(ValueError, match="wanted"):
        render(town, _world([DAY]), SMALL, np.zeros((1, 4, 4, 3), np.uint8))


def test_every_level_of_every_texture_has_known_classes_and_its_place():
    pictures = textures.atlas()
    assert (pictures.texels >> 24).max() <= LAMP
    for (lw, lh), start in zip(pictures.size, pictures.start):
        sizes = [1 << (int(lw + lh) - 2 * level) for level in range(LEVELS)]
        np.testing.assert_array_equal(np.diff(start), sizes[:-1])


def _cold(kernel, *arguments) -> str:
    """LLVM of a kernel compiled afresh for these arguments: one from the disk's cache has none."""
    fresh = numba.njit(fastmath=True, error_model="numpy", nogil=True)(kernel.py_func)
    fresh(*arguments)
    return "".join(fresh.inspect_llvm().values())


def test_kernels_hold_no_double_precision_arithmetic(town: MapArrays):
    view, world, table = camera_rays(SMALL), _world([WEATHERS["night_rain"]]), _light(WEATHERS["night_rain"])
    sunny, touched = _light(DAY), np.zeros(SMALL.height, np.uint8)
    high, wide, f = SMALL.height, SMALL.width, np.float32
    o, zb, shaded = np.zeros((high, wide, 3), np.uint8), np.zeros((high, wide), f), np.zeros(wide, np.uint32)
    item, order, noise = np.zeros((99, objects.ITEM), f), np.zeros(99, np.int32), sky.noise()
    head = (view.rows, view.cols, view.geometry)
    base = town.texels.view("<u4").reshape(-1)
    pose, scene, fog = (f(0), f(0), f(0)), scene_of(town, world), np.zeros(shading.DEPTHS, f)
    target = shading.ColourTarget(zb, o, np.zeros(6, f), view.rows, view.cols, table, fog, (f(0), f(0), f(1)),
                                  (f(0), f(0), f(0)), f(0), f(0), False)  # fmt: skip
    codes = {
        "light_of": _cold(weather.lighting, world.weather[0], table),
        "draw_sky": _cold(sky.draw_sky, o, *head, view.horizon, f(0), table, town.skyline[0], noise[0], False,
                          np.zeros(wide, f), np.zeros((4, wide), f), shaded),
        "draw_ground": _cold(underfoot.draw_ground, o, *head, view.horizon, f(0), f(0), f(0), False, table, noise,
                             shaded.copy(), shaded, zb.copy(), zb.copy(), touched, np.zeros(wide, f), base,
                             town.level_start[0], town.level_shape[0], town.ground_origin[0], town.ground_texel[0]),
        "cast_shadows": _cold(shadows.cast_shadows, zb.copy(), touched, view, pose, sunny, 0, scene),
        "draw_mirror": _cold(underfoot.draw_mirror, o, zb, view.geometry, view.horizon, table, zb.copy(),
                             np.zeros(wide, np.int32)),
        "draw_patch": _cold(underfoot.draw_contact_shadow, o, zb, *head, view.horizon, table, f(9), f(0), f(1), f(0),
                            f(4), f(2), f(2), f(-0.5), f(-0.5), f(-0.5)),
        "cull": _cold(objects.cull, item, order, view.geometry, pose, 0, scene),
        "draw_lights": _cold(lights.draw_lights, o, zb, item, 0, view.geometry, table, fog, np.int32(0)),
        "draw_rain": _cold(draw_rain, o, world.seed[0], world.tick[0], view.geometry, view.horizon, view.cols, table),
        "dust_light": _cold(dust_light, world.weather[0], table),
        "draw_dust": _cold(draw_dust, o, world.seed[0], world.tick[0], view.geometry, view.horizon, view.cols, table),
        "fog_over_depth": _cold(shading.fog_over_depth, table, fog),
        "draw_objects": _cold(objects.draw_objects, target, item, order, 0, view.geometry, new_scratch(high),
                              scene.mesh, scene.pictures),
    }  # fmt: skip
    for name, code in codes.items():
        doubles = re.findall(r"f(?:add|sub|mul|div|neg|cmp)[^\n]* double[^\n]*", code)
        assert not doubles, f"{name}: {doubles[:3]}"


def test_golden_images_still_look_the_same(town: MapArrays):
    drawn = render(town, _world(list(WEATHERS.values())), SMALL)
    GOLDEN.mkdir(exist_ok=True)
    wrong = []
    for name, image in zip(WEATHERS, drawn):
        path = GOLDEN / f"camera_{name}.png"
        if os.environ.get("REDRAW_GOLDEN"):
            cv2.imwrite(str(path), image[..., ::-1])
        wanted = cv2.imread(str(path))
        assert wanted is not None, f"{path} is missing; REDRAW_GOLDEN=1 draws it"
        difference = np.abs(wanted[..., ::-1].astype(int) - image).max(-1)
        # fast arithmetic rounds by machine: a border pixel may fall to either side
        if (difference > 6).mean() > 0.01:
            strip = np.hstack([wanted[..., ::-1], image, np.repeat(difference[..., None], 3, -1).astype(np.uint8)])
            cv2.imwrite(str(GOLDEN / f"camera_{name}.diff.png"), strip[..., ::-1])
            wrong.append(f"{name}: {(difference > 6).mean():.1%} of pixels, see camera_{name}.diff.png")
    assert not wrong, "; ".join(wrong)
