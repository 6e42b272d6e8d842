"""Cyclists, walkers, cones and traffic lights: what cameras, depth, tags and rays make of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sim.actors.light_head import LAMP_COLOURS
from sim.actors.registry import BODIES, KIND
from sim.actors.tags import TAG
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, MapSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import DRIVABLE
from sim.render.assets.figures import rider_name, walker_name
from sim.render.assets.textures import TEXTURE
from sim.render.assets.variants import RIDER_SIDES, WALKER_SIDES
from sim.render.rgb import render
from sim.road.graph.lane_graph import LIGHTS, lane_graph
from sim.road.graph.traffic_lights import GREEN, LIGHTS_OFF, OFF, RED, SIGNAL_STATES, YELLOW, light_state
from sim.road.map.light_poles import STANDING, light_rows
from sim.road.map.loading import load_map
from sim.road.map.map_batch import MapBatch
from sim.sensors.birdseye import MASKS, Birdseye
from sim.sensors.depth import depth_image
from sim.sensors.lidar import scan
from sim.sensors.semantic import semantic_image
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import T, episode, row_bytes

CAMERA = Camera(width=256, height=144, fov=60.0)
EYE = Camera()
CROSSING = MapSpec("crossroads_lights", (("arm", 60.0),), kind="crossroads")
SKIES = {
    "day": Weather(), "dusk": Weather(sun_altitude_angle=1.0), "night": Weather(sun_altitude_angle=-20.0),
    "rain": Weather(precipitation=75.0, cloudiness=90.0, wetness=80.0),
    "fog": Weather(fog_density=50.0, cloudiness=70.0),
}  # fmt: skip
TAGS = {"bicycle": "Bicycle", "walker": "Pedestrian", "cone": "Static"}


def with_one(kind: str, away: float = 15.0, turn: float = 0.0, colour: int = 0x2F60C0) -> EmbeddedWorld:
    """Two worlds alike, but that the first has somebody `away` [m] before its camera, the second has nobody."""
    actor = ActorSpec("it", kind, colour, distance=5.0)
    backend = EmbeddedWorld(2, CAMERA)
    backend.reset([episode(actors=(actor,)), episode(actors=(replace(actor, present=False),))])
    world, yaw = backend.world, float(backend.world.yaw[0, 0])
    ahead, heading = CAMERA.forward + away, yaw - turn
    back = float(world.length[0, 1]) / 2 - float(world.overhang[0, 1])
    world.x[0, 1] = float(world.x[0, 0]) + ahead * math.cos(yaw) - back * math.cos(heading)
    world.y[0, 1] = float(world.y[0, 0]) + ahead * math.sin(yaw) - back * math.sin(heading)
    world.yaw[0, 1] = heading
    return backend


def light_of(backend: EmbeddedWorld) -> np.ndarray:
    """The row of the light that ego drives towards."""
    scenery = backend.maps.arrays.scenery
    lights = scenery[scenery[:, 0] == KIND["light"]]
    return lights[np.argmin(np.cos(lights[:, 3] - float(backend.world.yaw[0, 0])))]


def at_the_light(away: float, weather: Weather = SKIES["day"], worlds: int = 4) -> EmbeddedWorld:
    """Worlds whose cameras stand `away` [m] before a light; world w's shows state w."""
    backend = EmbeddedWorld(worlds, EYE)
    backend.reset([episode(map=CROSSING, distance=20.0, weather=weather)] * worlds)
    world, row = backend.world, light_of(backend)
    yaw = float(world.yaw[0, 0])
    ahead = (row[1] - float(world.x[0, 0])) * math.cos(yaw) + (row[2] - float(world.y[0, 0])) * math.sin(yaw)
    world.x[:, 0] += np.float32((ahead - away - EYE.forward) * math.cos(yaw))
    world.y[:, 0] += np.float32((ahead - away - EYE.forward) * math.sin(yaw))
    for w in range(worlds):
        world.clock[w] = clock_for(int(row[7]), w % 4)
    return backend


def clock_for(plan: int, state: int) -> int:
    if state == OFF:
        return LIGHTS_OFF
    return next(ms for ms in range(0, 127_000, 500) if light_state(plan, np.int32(ms)) == state)


# ------------------------------------------------------------------------------------------------------- who is seen
@pytest.mark.parametrize("kind", TAGS)
@pytest.mark.parametrize("turn", [0.0, math.pi / 2, math.pi], ids=["behind", "side", "ahead"])
def test_everybody_is_seen_at_15_m_with_the_edges_of_depth_and_tag(kind: str, turn: float) -> None:
    backend = with_one(kind, turn=turn)
    maps, world = backend.maps, backend.world
    there, gone = render(maps.arrays, world, CAMERA).astype(int)
    depths, tags = depth_image(maps, world, CAMERA)[..., 0], semantic_image(maps, world, CAMERA)[..., 0]
    mine = tags[0] == TAG[TAGS[kind]]
    assert not (tags[1] == TAG[TAGS[kind]]).any()
    focal = CAMERA.width / 2 / math.tan(math.radians(CAMERA.fov) / 2)
    tall = np.nonzero(mine.any(1))[0]
    wanted = BODIES[kind].height * focal / 15.0
    assert abs(len(tall) - wanted) <= 2.0, "pixels from head to foot"
    differs = np.abs(there - gone).max(-1)
    assert np.median(differs[mine]) > 12
    np.testing.assert_array_equal(mine, depths[0] != depths[1])
    np.testing.assert_allclose(depths[0][mine], 15.0, atol=1.3)  # along a view that looks down by 4 degrees
    # what else differs is the shade upon the ground: nothing above the middle of the figure
    high = np.arange(CAMERA.height)[:, None] < tall.mean()
    assert not ((differs > 0) & ~mine & high).any()
    shaded = there.sum(-1)[~mine & (differs > 6)] < gone.sum(-1)[~mine & (differs > 6)]
    assert len(shaded) > 3 and shaded.all()


def test_a_walker_and_a_cyclist_show_another_side_when_they_turn() -> None:
    for kind, least in (("walker", 0.01), ("bicycle", 0.015)):
        seen = []
        for turn in (0.0, math.pi / 2, -math.pi / 2, math.pi):
            backend = with_one(kind, away=6.0, turn=turn)
            seen.append(render(backend.maps.arrays, backend.world, CAMERA)[0, 30:, 64:192].astype(int))
        for i, a in enumerate(seen):
            for b in seen[:i]:
                assert (np.abs(a - b).max(-1) > 12).mean() > least, kind
        # to the left is the mirror image of to the right
        left, right = (semantic_image(b.maps, b.world, CAMERA)[0, ..., 0] == TAG[TAGS[kind]] for b in
                       (with_one(kind, 6.0, -math.pi / 2), with_one(kind, 6.0, math.pi / 2)))  # fmt: skip
        assert (left[:, ::-1] != right).mean() < 0.004, kind


def test_every_side_pose_and_outfit_has_a_picture() -> None:
    names = {walker_name(o, p, t)[0] for o in range(3) for p in range(4) for t in range(WALKER_SIDES)}
    names |= {rider_name(p, t)[0] for p in range(2) for t in range(RIDER_SIDES)}
    drawn = {n for n in TEXTURE if n.startswith(("walker", "bicycle"))}
    assert names == drawn


def test_legs_move_with_the_way_and_stand_when_it_stands() -> None:
    backend = with_one("walker", 6.0, math.pi / 2)
    world = backend.world

    def seen() -> np.ndarray:
        tags = semantic_image(backend.maps, world, CAMERA)[0, ..., 0] == TAG["Pedestrian"]
        return np.nonzero(tags.any(0))[0]

    assert len(seen()) < 16, "who stands has the feet together"
    world.speed[0, 1] = 1.4
    widths = []
    for _ in range(8):
        world.x[0, 1] += np.float32(0.18 * math.cos(float(world.yaw[0, 1])))
        world.y[0, 1] += np.float32(0.18 * math.sin(float(world.yaw[0, 1])))
        widths.append(len(seen()))
    assert max(widths) > 1.5 * min(widths)


def test_clothes_have_the_colour_of_the_look_and_cones_their_own() -> None:
    for kind, follows in (("walker", True), ("bicycle", True), ("cone", False)):
        red, blue = (with_one(kind, 6.0, colour=c) for c in (0xD02020, 0x2020D0))
        a, b = (render(w.maps.arrays, w.world, CAMERA)[0].astype(int) for w in (red, blue))
        changed = (a[..., 0] - b[..., 0] > 25) & (b[..., 2] - a[..., 2] > 25)
        assert changed.any() == follows, kind


@pytest.mark.parametrize("kind", TAGS)
def test_a_ray_meets_them_and_so_does_the_map_from_above(kind: str) -> None:
    backend = with_one(kind, away=8.0)
    found = scan(backend.maps, backend.world, 720, 64, 40.0, (-25.0, 5.0), (1.6, 0.0, 1.5))
    met = found[0, ..., 1] == TAG[TAGS[kind]]
    assert met.sum() > 4 and not (found[1, ..., 1] == TAG[TAGS[kind]]).any()
    assert abs(found[0][met][:, 0].mean() - 8.0) < 1.2
    masks = Birdseye(128, 128, metres=32.0).sense(backend.maps, backend.world, 1)
    assert masks[0, ..., MASKS.index("actors")].any() and not masks[1, ..., MASKS.index("actors")].any()


@pytest.mark.parametrize("kind", TAGS)
def test_they_can_be_placed_move_along_their_lane_and_be_run_into(kind: str) -> None:
    from sim.datatypes.action import Action
    from sim.datatypes.vocabulary import OUTCOME

    backend = EmbeddedWorld(1, EYE, Simulation(actors=4))
    moving = ActorSpec("it", kind, distance=10.0, speed=1.2)
    standing = ActorSpec("other", kind, distance=14.0)
    backend.reset([episode(actors=(moving, standing), distance=25.0)])
    begun = float(backend.world.path_s[0, 1])
    for _ in range(40):
        backend.step(Action(np.zeros(1, np.float32), np.zeros(1, np.float32)))
    assert float(backend.world.path_s[0, 1]) > begun + 0.5
    assert backend.world.outcome[0] == OUTCOME["collision"]


# ------------------------------------------------------------------------------------------------------------ lights
@pytest.mark.parametrize("sky", SKIES)
def test_the_three_states_are_told_apart_by_colour_at_25_m_and_off_is_dark(sky: str) -> None:
    backend = at_the_light(25.0, SKIES[sky])
    seen = render(backend.maps.arrays, backend.world, EYE).astype(int)
    off = seen[OFF]
    for state in (RED, YELLOW, GREEN):
        added = (seen[state] - off).reshape(-1, 3)
        changed = np.abs(added).max(-1)
        assert changed.max() > 60, SIGNAL_STATES[state]
        lit = seen[state].reshape(-1, 3)[changed.argmax()]
        hue = (lit - lit.min()) / (lit.max() - lit.min())
        pure = LAMP_COLOURS - LAMP_COLOURS.min(1, keepdims=True)
        away = np.abs(pure / pure.max(1, keepdims=True) - hue).sum(1)
        assert away.argmin() == state and away[state] < 0.3, (SIGNAL_STATES[state], lit)
        assert max(lit) > 150, "as bright by night as by day"
    tags = semantic_image(backend.maps, backend.world, EYE)[OFF, ..., 0] == TAG["TrafficLight"]
    vivid = off.max(-1) - off.min(-1)
    assert (off[tags].max(-1)[: tags.sum() // 3] < 190).all() and vivid[tags].max() < 70, "no lamp is lit"


def test_a_lights_picture_follows_from_clock_and_plan_alone() -> None:
    backend = at_the_light(14.0, worlds=3)
    world, plan = backend.world, int(light_of(backend)[7])
    period = plan >> 14
    world.clock[:] = [21_000, 21_999, 21_000 + 1000 * period]
    world.seed[:], world.tick[:] = [1, 2, 3], [0, 50, 7]
    seen = render(backend.maps.arrays, world, CAMERA)
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0], seen[2])
    states = {int(light_state(plan, np.int32(ms))) for ms in range(0, 1000 * period, 1000)}
    assert states == {RED, YELLOW, GREEN}


def test_lights_shine_one_way_and_are_hidden_by_what_is_before_them() -> None:
    backend = at_the_light(14.0)
    row = light_of(backend)
    lit, off = (render(backend.maps.arrays, backend.world, CAMERA)[s].astype(int) for s in (RED, OFF))
    assert (np.abs(lit - off).max(-1) > 60).sum() >= 4
    world, yaw = backend.world, float(backend.world.yaw[0, 0])
    # a truck at arm's length before the camera
    for name in ("length", "width", "height", "overhang"):
        getattr(world, name)[:, 1] = getattr(BODIES["truck"], name)
    world.kind[:, 1], world.yaw[:, 1], world.height[:, 1] = KIND["truck"], yaw, 9.0
    world.x[:, 1] = world.x[:, 0] + np.float32(6.0 * math.cos(yaw) + 3.0 * math.sin(yaw))
    world.y[:, 1] = world.y[:, 0] + np.float32(6.0 * math.sin(yaw) - 3.0 * math.cos(yaw))
    a, b = (render(backend.maps.arrays, world, CAMERA)[s] for s in (RED, OFF))
    np.testing.assert_array_equal(a, b)
    # and from behind the pole
    world.kind[:, 1] = 0
    world.x[:, 0], world.y[:, 0] = row[1] + 14 * math.cos(yaw), row[2] + 14 * math.sin(yaw)
    world.yaw[:, 0] = yaw + math.pi
    here = render(backend.maps.arrays, world, Camera(width=128, height=96, fov=40.0, pitch=8.0))
    pole = semantic_image(backend.maps, world, Camera(width=128, height=96, fov=40.0, pitch=8.0))[RED, ..., 0]
    middle = pole[:, 54:74] == TAG["TrafficLight"]
    assert middle.any()
    np.testing.assert_array_equal(here[RED][:, 54:74][middle], here[OFF][:, 54:74][middle])


def test_depth_and_tags_of_a_light_do_not_depend_on_what_it_shows() -> None:
    backend = at_the_light(14.0)
    depths, tags = (
        depth_image(backend.maps, backend.world, CAMERA),
        semantic_image(backend.maps, backend.world, EYE),
    )
    assert (tags == TAG["TrafficLight"]).any()
    for state in (YELLOW, GREEN, OFF):
        np.testing.assert_array_equal(depths[state], depths[RED])
        np.testing.assert_array_equal(tags[state], tags[RED])
    found = scan(backend.maps, backend.world, 1440, 32, 40.0, (-5.0, 20.0), (1.6, 0.0, 1.5))[0]
    assert (found[..., 1] == TAG["TrafficLight"]).any()


def test_every_light_of_a_map_stands_beside_the_road_and_faces_its_traffic() -> None:
    road_map, _ = load_map(CROSSING)
    graph = lane_graph(road_map.opendrive, road_map.name)
    rows = light_rows(graph, road_map.ground)
    assert len(rows) == sum(kind in LIGHTS for kind in graph.signal_types) == 4
    np.testing.assert_allclose(rows[:, 3], graph.signal_pose[:, 2], atol=1e-6)
    np.testing.assert_array_equal(rows[:, 4:7], [STANDING] * 4)
    ground = road_map.ground
    column, row = ((rows[:, 1:3] - ground.origin) / ground.surface_texel).astype(int).T
    near = round(0.4 / ground.surface_texel)
    for dr, dc in ((0, 0), (near, 0), (-near, 0), (0, near), (0, -near)):
        assert not np.isin(ground.surface[row + dr, column + dc], DRIVABLE).any()
    assert np.hypot(*(rows[:, 1:3] - graph.signal_pose[:, :2]).T).max() < 1.5


def test_a_light_in_the_middle_of_the_road_moves_to_its_right() -> None:
    road_map, _ = load_map(CROSSING)
    graph = lane_graph(road_map.opendrive, road_map.name)
    pose = graph.signal_pose.copy()
    lane, at = graph.governed_by(0)[0]
    points = graph.points_of(lane)
    pose[0, :2] = points[int(at / max(graph.length[lane], 1e-3) * (len(points) - 1)), :2]
    moved = light_rows(replace(graph, signal_pose=pose), road_map.ground)[0]
    heading = pose[0, 2] + math.pi
    right = (moved[1] - pose[0, 0]) * math.sin(heading) - (moved[2] - pose[0, 1]) * math.cos(heading)
    assert 1.5 < right < 6.0


def test_the_bank_appends_lights_after_the_scenery_of_their_own_map() -> None:
    lit, _ = load_map(CROSSING)
    plain, _ = load_map(T)
    bank = MapBatch()
    for road_map in (plain, lit, plain):
        bank.add(road_map)
    arrays = bank.arrays
    a, b, c = arrays.scenery_start
    np.testing.assert_array_equal(arrays.scenery[a:b], plain.scenery)
    np.testing.assert_array_equal(arrays.scenery[b : b + len(lit.scenery)], lit.scenery)
    assert (arrays.scenery[b + len(lit.scenery) : c, 0] == KIND["light"]).all() and c - b == len(lit.scenery) + 4


def test_a_world_with_lights_and_people_is_the_same_alone_and_in_a_batch() -> None:
    people = tuple(ActorSpec(k, k, distance=6.0 + 3 * i, speed=1.0) for i, k in enumerate(TAGS))
    traffic = [episode(seed=s, map=CROSSING, distance=20.0 + s, actors=people) for s in range(6)]
    whole, alone = (EmbeddedWorld(n, EYE, Simulation(actors=4)) for n in (6, 1))
    whole.reset(traffic)
    alone.reset(traffic[4:5])
    whole.world.clock[4] = alone.world.clock[0] = 12_000
    np.testing.assert_array_equal(whole.observe().camera[4], alone.observe().camera[0])
    assert row_bytes(whole, 4) == row_bytes(alone, 0)
