"""Claims about kinds of actors: stored numbers never change, and a declaration is all that a kind needs."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from scenarios.sampling.sample import sample
from scenarios.scenario import from_text
from sim.actors.base import ActorKind, Solid, register
from sim.actors.registry import (
    ACTOR_KINDS,
    BODIES,
    COLLIDES,
    DRIVES,
    KIND,
    KINDS,
    NARROW_CONTACT,
    SHADOWS,
    STOPS_TRAFFIC,
    VEHICLES,
    WIDE_CONTACT,
)
from sim.actors.signs import SIGN
from sim.actors.solids import solids
from sim.actors.tags import TAG, TAGS
from sim.carla.blueprint_library import BLUEPRINTS, OF_BODY
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.render.assets.mesh import ActorMesh, register_mesh
from sim.render.assets.registry import MESHES
from sim.render.assets.textures import TEXTURE, atlas
from sim.render.rgb import render
from sim.sensors.lidar import Lidar
from sim.sensors.semantic import semantic_image
from sim.viz.markers import MARKERS, Box, draw_box
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL, episode

# Stored in demonstrations and recordings: append to it, and change nothing.
NUMBERS = {
    "none": 0, "car": 1, "van": 2, "truck": 3, "building": 4, "house": 5, "tree": 6, "lamp": 7, "fence": 8,
    "bicycle": 9, "walker": 10, "cone": 11, "light": 12, "barrier": 13, "raised_barrier": 14, "ball": 15, "sign": 16,
    "scooter": 17,
}  # fmt: skip
CAMERA = Camera(width=256, height=144, fov=60.0)


def members(mask: np.int64) -> set[str]:
    return {name for name, number in KIND.items() if mask >> number & 1}


def test_numbers_of_kinds_never_change() -> None:
    assert KIND == NUMBERS and tuple(NUMBERS) == KINDS and SIGN == 16


def test_a_kind_is_a_file_of_its_name() -> None:
    folder = Path(__file__).parents[3] / "sim" / "actors" / "kinds"
    assert {p.stem for p in folder.glob("*.py")} - {"__init__"} == set(ACTOR_KINDS)


def test_sets_of_kinds_are_what_the_declarations_say() -> None:
    assert members(DRIVES) == set(VEHICLES) == {"car", "van", "truck", "bicycle", "scooter"}
    assert set(ACTOR_KINDS) - members(COLLIDES) == {"ball"}
    assert set(ACTOR_KINDS) - members(STOPS_TRAFFIC) == {"light", "sign"}
    assert members(WIDE_CONTACT) == {"car", "van", "truck"}
    assert members(NARROW_CONTACT) == {"bicycle", "walker", "cone", "ball", "scooter"}


def test_every_body_can_be_seen_named_and_placed() -> None:
    assert set(MESHES) == set(ACTOR_KINDS) - {"sign"}, "a kind has no mesh"
    for kind in ACTOR_KINDS.values():
        assert kind.tag in TAGS
        assert (solids()[kind.number, 0, 5] > solids()[kind.number, 0, 4]) and SHADOWS[kind.number].any()
        if kind.body is not None:
            assert kind.marker in MARKERS and kind.carla is not None and kind.openscenario is not None, kind.name
            assert OF_BODY[kind.name] in BLUEPRINTS and BLUEPRINTS[OF_BODY[kind.name]].body == kind.name


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (ActorKind("car", 40, "Car"), "'car' has the number 40; 'car' has 1 already"),
        (ActorKind("tram", 3, "Train"), "'tram' has the number 3; 'truck' has 3 already"),
        (ActorKind("tram", 40, "Train", solids=(Solid(),) * 3), "3 solids; wanted one or two"),
        (ActorKind("tram", 40, "Train", contact_shadow="vast"), "contact shadow 'vast'; known are narrow, wide"),
        (ActorKind("tram", 40, "Train", drives=True), "drives and has no body"),
    ],
)
def test_a_wrong_declaration_is_refused(declared: ActorKind, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register(declared)


def test_a_wrong_mesh_is_refused() -> None:
    with pytest.raises(ValueError, match="of the kind 'car'; known without a mesh are none, sign"):
        register_mesh(ActorMesh("car", lambda variant: []))
    with pytest.raises(ValueError, match="posing 'swimming'; known are one, styled"):
        register_mesh(ActorMesh("sign", lambda variant: [], posing="swimming"))


# ---------------------------------------------------------------------------------------------------- a scooter
def ahead(kind: str, turn: float, away: float = 7.0, **about: object) -> EmbeddedWorld:
    """A world with one actor `away` [m] before ego, turned clockwise by `turn` [rad] from ego's heading."""
    backend = EmbeddedWorld(1, SMALL, Simulation(actors=2))
    backend.reset([episode(actors=(ActorSpec("it", kind, 0xC02020, distance=12.0),), distance=30.0, **about)])  # type: ignore[arg-type]
    world = backend.world
    yaw = float(world.yaw[0, 0])
    world.yaw[0, 1] = yaw - turn
    middle = float(world.length[0, 1]) / 2 - float(world.overhang[0, 1])
    world.x[0, 1] = world.x[0, 0] + away * math.cos(yaw) - middle * math.cos(yaw - turn)
    world.y[0, 1] = world.y[0, 0] + away * math.sin(yaw) - middle * math.sin(yaw - turn)
    return backend


def test_a_scooter_is_drawn_as_another_picture_from_every_side() -> None:
    pictures = []
    for turn in (0.0, math.pi / 2, math.pi, -math.pi / 2):
        backend = ahead("scooter", turn)
        tags = semantic_image(backend.maps, backend.world, CAMERA)[0, ..., 0] == TAG["Motorcycle"]
        rows, columns = np.nonzero(tags)
        assert 400 < tags.sum()
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        focal = CAMERA.width / 2 / math.tan(math.radians(30.0))
        assert height == pytest.approx(focal * BODIES["scooter"].height / 5.4, rel=0.12)
        across = BODIES["scooter"].width if turn in (0.0, math.pi) else BODIES["scooter"].length
        assert width == pytest.approx(focal * across / 5.4, rel=0.3)
        picture = render(backend.maps.arrays, backend.world, CAMERA)[0]
        red = picture[tags].astype(int)
        assert (red[:, 0] > red[:, 1] + 30).sum() > 60, "its paint is the actor's colour"
        pictures.append(picture)
    assert all((a != b).any(-1).sum() > 300 for a, b in itertools.pairwise(pictures))


def test_a_scooters_lidar_shape_has_a_narrow_machine_and_a_rider() -> None:
    backend = ahead("scooter", 0.0)
    seen = Lidar(rays=1440, channels=24, lower=-12.0, upper=1.0).sense(backend.maps, backend.world, 1)[0]
    hits = seen[..., 1] == TAG["Motorcycle"]
    assert 0 < hits[-1].sum() < hits[4].sum(), "the rider is wider than the machine"


def test_a_scooter_casts_a_shadow() -> None:
    sunny = Weather(sun_altitude_angle=30.0, sun_azimuth_angle=90.0)
    pictures = []
    for kind in ("scooter", "none"):
        backend = ahead("scooter", math.pi / 2, weather=sunny)
        backend.world.kind[0, 1] = KIND[kind]
        pictures.append(render(backend.maps.arrays, backend.world, CAMERA)[0].astype(int))
        tags = semantic_image(backend.maps, backend.world, CAMERA)[0, ..., 0]
    darker = (pictures[0].sum(-1) < pictures[1].sum(-1) - 20) & (tags == TAG["Roads"])
    assert darker.sum() > 60


def test_ego_collides_with_a_scooter() -> None:
    backend = ahead("scooter", 0.0, away=2.0)
    backend.evaluate_termination()
    assert backend.world.outcome[0] == OUTCOME["collision"] and backend.world.collided_with[0] == KIND["scooter"]


def test_a_scenario_has_a_scooter_that_turns() -> None:
    scenario = from_text("""\
name: with-scooter
map: {generate: t_junction, arm: 40}
weather: {precipitation: {choice: [0, 60]}}
actors:
  - {name: rider, kind: scooter, colour: "#208040", arm: west, lane: inbound, distance: 10, speed: 6, turn: right}
propositions: {raining: weather.precipitation > 20}
rule: left if raining else right
""")
    drawn = sample(scenario, 0)
    assert drawn.actors[0].kind == "scooter"
    backend = EmbeddedWorld(1, SMALL, Simulation(actors=4))
    backend.reset([drawn])
    start = float(backend.world.x[0, 1]), float(backend.world.y[0, 1])
    for _ in range(20):
        backend.step(Action(np.zeros(1, np.float32), np.full(1, -1.0, np.float32)))
    assert backend.world.kind[0, 1] == KIND["scooter"]
    assert math.hypot(float(backend.world.x[0, 1]) - start[0], float(backend.world.y[0, 1]) - start[1]) > 5.0


def test_a_top_down_view_shows_a_scooter_as_a_dart_of_its_colour() -> None:
    window = Viewport((0.0, 0.0), 20.0, 100, 100)
    picture = np.full((100, 100, 3), 200, np.uint8)
    draw_box(picture, Box(0.0, 0.0, 0.0, 1.85, 0.7, (10, 120, 30), kind="scooter"), window)
    assert ((picture == [10, 120, 30]).all(-1)).sum() > 8


def test_textures_of_earlier_kinds_keep_their_places() -> None:
    names = list(TEXTURE)
    assert names[0] == "paint" and names[names.index("ball") + 1] == "scooter_0" and len(atlas().start) == len(names)
