"""Claims about sun and water on the ground: shadows fall away from the sun, puddles lie where they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sim.actors.registry import BODIES, KIND
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Weather
from sim.datatypes.road_map import MapArrays
from sim.datatypes.world_state import World
from sim.dynamics.friction import wetness_of
from sim.render.rgb import camera_rays, render
from sim.road.map.map_batch import MapBatch

CAMERA = Camera(width=256, height=144)
SUNNY = Weather(cloudiness=0.0, fog_density=0.0, sun_altitude_angle=25.0)
AZIMUTHS = {"east": 0.0, "south": 90.0, "west": 180.0, "north": 270.0}  # CARLA's, clockwise: where the sun stands
AWAY = {"east": (-1, 0), "south": (0, 1), "west": (1, 0), "north": (0, -1)}  # and where its shadows point


def _plain(scenery: Sequence[tuple[float, ...]] = ()) -> MapArrays:
    """A plain of asphalt of 400 m about the origin."""
    ground = np.full((200, 200, 4), 150, np.uint8)
    ground[..., 3] = 255
    rows = np.array(scenery, np.float64).reshape(-1, 8)
    return MapBatch().arrays._replace(
        texels=ground.reshape(-1, 4), level_start=np.zeros((1, 1), np.int64),
        level_shape=np.array([[(200, 200)]], np.int32), ground_origin=np.array([[-200, -200]], np.float32),
        ground_texel=np.full(1, 2.0, np.float32), surface=np.zeros(1, np.uint8), surface_start=np.zeros(1, np.int64),
        surface_shape=np.ones((1, 2), np.int32), surface_texel=np.ones(1, np.float32), scenery=rows,
        scenery_start=np.array([0, len(rows)], np.int64), skyline=np.zeros((1, 512), np.float32),
        points=np.zeros((2, 4), np.float32), path_start=np.array([0, 2], np.int64),
        junction_in=np.zeros(1, np.float32), junction_out=np.zeros(1, np.float32), decision=np.zeros(1, np.int32),
    )  # fmt: skip


def _world(weathers: list[Weather], others: Sequence[tuple[str, float, float]] = (), y: float = 0.0) -> World:
    """Ego at (0, y) looks north; the others, a kind and the place of the rear axle each, look north too."""
    count, room = len(weathers), 1 + len(others)
    per_world = {"seed": np.uint32, "tick": np.int32, "map": np.int32, "outcome": np.int32, "shown_decision": np.int32,
                 "time_limit": np.int32, "clock": np.int32, "collided_with": np.int32}  # fmt: skip
    arrays = {n: np.zeros(count, t) for n, t in per_world.items()}
    for name in World._fields[len(per_world) + 1 :]:
        arrays[name] = np.zeros(
            (count, room), np.int32 if name in ("kind", "appearance", "path", "route") else np.float32
        )
    arrays["weather"] = np.stack([w.array() for w in weathers])
    for i, (kind, px, py) in enumerate([("car", 0.0, y), *others]):
        for name in ("length", "width", "height", "overhang", "wheelbase"):
            arrays[name][:, i] = getattr(BODIES[kind], name)
        for name, value in (("x", px), ("y", py), ("yaw", math.pi / 2), ("kind", KIND[kind]), ("appearance", 0xB03028)):
            arrays[name][:, i] = value
    return World(**arrays)


def _seen(weather: Weather, others: Sequence[tuple[str, float, float]] = (), scenery: Sequence[tuple[float, ...]] = (),
          y: float = 0.0) -> np.ndarray:  # fmt: skip
    return render(_plain(scenery), _world([weather], others, y), CAMERA)[0].astype(float)


def _pixel(x: float, y: float) -> tuple[int, int]:
    """Row and column in which ego at the origin sees a place on the ground."""
    focal, middle, sine, cosine, *_, up = (float(v) for v in camera_rays(CAMERA).geometry)
    ahead, right = y - CAMERA.forward, x + CAMERA.left
    depth = ahead * cosine - up * sine
    return int(middle + focal * (ahead * sine + up * cosine) / depth), int(CAMERA.width / 2 + focal * right / depth)


def _light_at(image: np.ndarray, x: float, y: float) -> float:
    row, column = _pixel(x, y)
    return float(image[row, column].mean())


# ------------------------------------------------------------------------------------------------------------ shadows
@pytest.mark.parametrize("side", AZIMUTHS)
def test_a_shadow_lies_on_the_far_side_of_the_sun(side: str) -> None:
    weather, (x, y), (dx, dy) = replace(SUNNY, sun_azimuth_angle=AZIMUTHS[side]), (1.5, 6.0), AWAY[side]
    bare, image = _seen(weather), _seen(weather, [("walker", x, y)])
    there, opposite = (x + 1.5 * dx, y + 1.5 * dy), (x - 1.5 * dx, y - 1.5 * dy)  # the shadow is 3.7 m long
    assert _light_at(image, *there) < 0.85 * _light_at(bare, *there)
    assert _light_at(image, *opposite) == _light_at(bare, *opposite)


def test_a_shadow_is_as_long_as_the_sun_is_low() -> None:
    lengths = []
    for altitude in (65.0, 40.0, 20.0):
        weather = replace(SUNNY, sun_altitude_angle=altitude, sun_azimuth_angle=0.0)
        bare, image = _seen(weather), _seen(weather, [("walker", 3.5, 8.0)])
        row, column = _pixel(3.5, 8.0)
        dark = image[row, :column].mean(-1) < 0.85 * bare[row, :column].mean(-1)
        left = int(np.argmax(dark))
        per_metre = _pixel(1.0, 8.0)[1] - _pixel(0.0, 8.0)[1]
        lengths.append((column - left) / per_metre)
    wanted = [BODIES["walker"].height / math.tan(math.radians(a)) for a in (65.0, 40.0, 20.0)]
    np.testing.assert_allclose(lengths, wanted, atol=0.4)  # half of a walker's width, and a pixel


def test_the_shadow_of_a_low_sun_ends_somewhere() -> None:
    weather = replace(SUNNY, sun_altitude_angle=4.0, sun_azimuth_angle=90.0)  # behind ego: it points ahead
    tower = (KIND["building"], -4.0, -10.0, 0.0, 4.0, 4.0, 60.0, 0xC9B79C)
    bare, image = _seen(weather), _seen(weather, scenery=[tower])
    assert _light_at(image, -4.0, 12.0) < 0.9 * _light_at(bare, -4.0, 12.0)
    assert _light_at(image, -4.0, 22.0) == _light_at(bare, -4.0, 22.0)  # 25 m from its wall are over at 17


@pytest.mark.parametrize("kind", ["house", "building"])
def test_a_house_darkens_the_road_even_from_beside_the_view(kind: str) -> None:
    weather = replace(SUNNY, sun_azimuth_angle=180.0)
    house = (KIND[kind], -17.0, 6.0, 0.0, 12.0, 10.0, 9.0, 3)  # in the west, like the sun; its walls are out of view
    bare, image = _seen(weather), _seen(weather, scenery=[house])
    assert _light_at(image, -1.5, 6.0) < 0.75 * _light_at(bare, -1.5, 6.0)
    assert _light_at(image, 3.5, 24.0) == _light_at(bare, 3.5, 24.0)


def test_two_shadows_on_one_place_are_no_darker_than_one() -> None:
    weather = replace(SUNNY, sun_azimuth_angle=180.0)
    houses = [(KIND["building"], -17.0, 6.0, 0.0, 12.0, 10.0, 9.0, look) for look in (3, 4)]
    one, two = _seen(weather, scenery=houses[:1]), _seen(weather, scenery=houses)
    assert _light_at(two, -1.5, 6.0) == _light_at(one, -1.5, 6.0)


@pytest.mark.parametrize("change", [{"sun_altitude_angle": -10.0}, {"cloudiness": 100.0}, {"sun_altitude_angle": 0.0}])
def test_no_shadow_falls_at_night_or_under_a_closed_sky(change: dict[str, float]) -> None:
    weather = replace(SUNNY, sun_azimuth_angle=180.0, **change)
    house = (KIND["house"], -17.0, 6.0, 0.0, 12.0, 10.0, 9.0, 3)
    below = CAMERA.height // 2 + 12  # the house itself is out of view
    np.testing.assert_array_equal(_seen(weather, scenery=[house])[below:], _seen(weather)[below:])


# ------------------------------------------------------------------------------------------------------------ puddles
WET = replace(SUNNY, wetness=60.0)
ROAD = np.s_[84:, :]  # near enough for a puddle to be larger than a pixel


def _mirrors(image: np.ndarray) -> np.ndarray:
    """Where a grey road is blue: it shows the sky."""
    return image[ROAD][..., 2] - image[ROAD][..., 0] > 25.0


def test_dry_wet_puddles_and_rain_look_different() -> None:
    kinds = {
        "dry": SUNNY, "wet": WET, "puddles": replace(WET, precipitation_deposits=60.0),
        "rain": replace(SUNNY, precipitation=60.0),
    }  # fmt: skip
    seen = {name: _seen(weather)[ROAD] for name, weather in kinds.items()}
    names = list(kinds)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            apart = np.abs(seen[a] - seen[b]).max(-1) > 15.0
            assert apart.mean() > 0.1, f"{a} and {b} look alike"
    assert seen["wet"].mean() < 0.9 * seen["dry"].mean()


def test_wetness_alone_makes_no_puddles_and_deposits_alone_no_wet_road() -> None:
    for wetness in (20.0, 60.0, 100.0):
        spread = _seen(replace(SUNNY, wetness=wetness))[ROAD].mean(-1).std(1)
        assert spread.max() < 3.0  # a row of an evenly damp plain is one colour
    image, dry = _seen(replace(SUNNY, precipitation_deposits=50.0)), _seen(SUNNY)
    between = ~(np.abs(image[ROAD] - dry[ROAD]).max(-1) > 0)
    assert 0.4 < between.mean() < 0.95


def test_puddles_grow_with_deposits_where_they_are() -> None:
    under = [_mirrors(_seen(replace(WET, precipitation_deposits=d))) for d in (0.0, 30.0, 60.0, 100.0)]
    shares = [u.mean() for u in under]
    assert shares[0] == 0.0
    assert 0.02 < shares[1] < shares[2] - 0.05 < shares[3] - 0.1
    for less, more in pairwise(under):
        assert (more | ~less).mean() > 0.995


def test_puddles_stay_where_they_are_when_ego_drives_on() -> None:
    weather = replace(WET, precipitation_deposits=60.0)
    here, there = _seen(weather), _seen(weather, y=3.0)
    same, moved, places = 0, 0, [(x, y) for x in np.arange(-5, 5.1, 0.5) for y in np.arange(9.0, 13.1, 0.5)]

    def under(image: np.ndarray, x: float, y: float) -> bool:
        row, column = _pixel(x, y)
        return bool(image[row, column, 2] - image[row, column, 0] > 25.0)

    for x, y in places:
        same += under(here, x, y) == under(there, x, y - 3.0)
        moved += under(here, x, y) == under(there, x, y)
    assert same / len(places) > 0.92  # the rest are shores
    assert moved / len(places) < 0.85


def test_a_puddle_mirrors_even_what_is_seen_steeply() -> None:
    near = np.s_[-12:, :]
    damp, water = _seen(WET)[near], _seen(replace(WET, precipitation_deposits=100.0))[near]
    blue = (water - damp)[..., 2]
    assert np.percentile(blue, 90) > 20.0


def test_a_tyre_feels_water_that_stands() -> None:
    deep, damp = replace(SUNNY, precipitation_deposits=80.0), replace(SUNNY, wetness=80.0)
    assert wetness_of(deep.array()) == wetness_of(damp.array()) > 0.79
