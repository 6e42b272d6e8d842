"""Draws the pictures of road users and traffic lights of docs/reference/actors.md.

    python benchmarks/actors.py
    python benchmarks/actors.py --out /folder/for/a/look

Both places are made here; the same code draws the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from sheets import draw_all

from sim.actors.registry import BODIES, KIND
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.render.rgb import render
from sim.road.graph.traffic_lights import LIGHTS_OFF, SIGNAL_STATES, light_state
from sim.viz.markers import boxes_of, lamps_of
from sim.viz.top_down import FAINT, PAPER, Text, top_down, write
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld

STREET = MapSpec("t_junction", (("arm", 60.0),))
CROSSING = MapSpec("crossroads_lights", (("arm", 60.0),), kind="crossroads")
MORNING = Weather(cloudiness=30.0, sun_altitude_angle=38.0, sun_azimuth_angle=150.0)
TURNS = {"from behind": 0.0, "": -45.0, "from the side": -90.0, " ": -135.0, "from ahead": 180.0}  # clockwise [deg]
# Name, kind, colour, metres from the camera to its middle, speed: legs move where there is one.
SHOWN = (
    ("car", "car", 0xB03028, 10.5, 0.0), ("van", "van", 0xE4E4E0, 12.5, 0.0), ("truck", "truck", 0x2F5F9A, 18.5, 0.0),
    ("bicycle", "bicycle", 0x1F78B4, 5.4, 5.0), ("walker", "walker", 0x2E7D5B, 5.4, 1.4),
    ("walker", "walker", 0xC83848, 5.4, 1.4), ("walker, standing", "walker", 0xE0B030, 5.4, 0.0),
    ("cone", "cone", 0, 5.4, 0.0),
)  # fmt: skip
WEATHERS = {
    "day": MORNING,
    "dusk": Weather(cloudiness=45.0, sun_altitude_angle=1.0, sun_azimuth_angle=150.0),
    "night": Weather(sun_altitude_angle=-20.0),
    "rain": Weather(precipitation=75.0, cloudiness=90.0, wetness=80.0, precipitation_deposits=60.0),
    "fog": Weather(fog_density=50.0, cloudiness=70.0),
    "night\nand rain": Weather(sun_altitude_angle=-20.0, precipitation=75.0, cloudiness=90.0, wetness=80.0),
}
EYE = Camera()  # what a learner gets
GAP, EDGE, LABEL = 6, 14, 22  # between pictures, around the page, of headings [px]


# -------------------------------------------------------------------------------------------------------- one picture
def seen(kind: str, colour: int, turn: float, away: float, speed: float, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8: one road user `away` [m] before the camera, turned clockwise by `turn` [deg]."""
    actor = ActorSpec("it", kind, colour, distance=12.0)
    backend = EmbeddedWorld(1, EYE)
    backend.reset([Episode("actors", 5, STREET, distance=30.0, weather=MORNING, actors=(actor,))])
    world, fine = backend.world, 2
    down = float(np.degrees(np.arctan2(EYE.up - 0.5 * BODIES[kind].height, away)))  # its middle is the picture's
    camera = Camera(size[0] * fine, size[1] * fine, fov=34.0, pitch=-down)
    yaw = float(world.yaw[0, 0])
    ahead = camera.forward + away
    x, y = float(world.x[0, 0]) + ahead * np.cos(yaw), float(world.y[0, 0]) + ahead * np.sin(yaw)
    heading = yaw - np.radians(turn)
    back = float(world.length[0, 1]) / 2 - float(world.overhang[0, 1])  # a pose is that of the rear axle
    along = 0.1 if kind == "walker" else 0.4
    along -= (x * np.cos(heading) + y * np.sin(heading)) % (4 * 0.36 if kind == "walker" else 2.6)
    world.x[0, 1], world.y[0, 1] = x - back * np.cos(heading), y - back * np.sin(heading)
    world.yaw[0, 1], world.speed[0, 1] = heading, speed
    picture = render(backend.maps.arrays, world, camera)[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def at_the_light(away: float) -> EmbeddedWorld:
    """A world whose ego stands with its camera `away` [m] before the light that is for it."""
    backend = EmbeddedWorld(1, EYE)
    episode = Episode("lights", 5, CROSSING, distance=20.0, weather=MORNING)
    backend.reset([episode])
    world = backend.world
    row = mine(backend)
    yaw = float(world.yaw[0, 0])
    ahead = (row[1] - float(world.x[0, 0])) * np.cos(yaw) + (row[2] - float(world.y[0, 0])) * np.sin(yaw)
    move = ahead - away - EYE.forward
    world.x[0, 0] += np.float32(move * np.cos(yaw))
    world.y[0, 0] += np.float32(move * np.sin(yaw))
    return backend


def mine(backend: EmbeddedWorld) -> np.ndarray:
    """The scenery row of the light that ego drives towards."""
    bank, world = backend.maps.arrays, backend.world
    yaw = float(world.yaw[0, 0])
    lights = bank.scenery[bank.scenery[:, 0] == KIND["light"]]
    return lights[np.argmin(np.cos(lights[:, 3] - yaw))]


def clock_for(plan: int, state: int) -> int:
    """A time of the lights' clock at which a light shows a state [ms]; LIGHTS_OFF for "off"."""
    if SIGNAL_STATES[state] == "off":
        return LIGHTS_OFF
    return next(ms for ms in range(500, 127_000, 1000) if light_state(plan, np.int32(ms)) == state)


def shown(backend: EmbeddedWorld, state: int, weather: Weather, camera: Camera) -> np.ndarray:
    """What a camera sees when ego's light is in a state."""
    backend.world.weather[0] = weather.array()
    backend.world.clock[0] = clock_for(int(mine(backend)[7]), state)
    return render(backend.maps.arrays, backend.world, camera)[0]


# ------------------------------------------------------------------------------------------------------------- sheets
def page(title: str, note: str, columns: list[str], rows: list[tuple[str, list[np.ndarray]]], left: int) -> np.ndarray:
    """Pictures in rows, with headings."""
    head = 40
    width = rows[0][1][0].shape[1]
    tall = [row[0].shape[0] for _, row in rows]
    sheet = np.full((head + LABEL + sum(tall) + GAP * (len(rows) - 1) + EDGE,
                     left + len(columns) * (width + GAP) - GAP + EDGE, 3), PAPER, np.uint8)  # fmt: skip
    texts = [Text(title, EDGE, 28, 18, bold=True), Text(note, sheet.shape[1] - EDGE, 28, 13, FAINT, anchor="rs")]
    for j, name in enumerate(columns):
        texts.append(Text(name, left + j * (width + GAP) + width / 2, head + 14, 13, bold=True, anchor="ms"))
    y = head + LABEL
    for name, row in rows:
        texts += [Text(part, EDGE, y + 18 + 17 * k, 13, bold=k == 0) for k, part in enumerate(name.split("\n"))]
        for j, picture in enumerate(row):
            sheet[y : y + picture.shape[0], left + j * (width + GAP) : left + j * (width + GAP) + width] = picture
        y += row[0].shape[0] + GAP
    return write(sheet, texts)


def kinds() -> np.ndarray:
    """Every kind of road user, and a cone, from five sides."""
    rows = []
    for name, kind, colour, away, speed in SHOWN:
        row = [seen(kind, colour, turn, away, speed, (168, 120)) for turn in TURNS.values()]
        rows.append((f"{name}\n{away:g} m away", row))
    note = "34° wide; walkers turn in steps of 45°, cyclists of 22.5°; outfits follow from the colour"
    return page("Who is on the road", note, [name.strip() for name in TURNS], rows, 144)


def states() -> np.ndarray:
    """One light in each state and weather, from two distances."""
    near, far = at_the_light(14.0), at_the_light(25.0)
    camera = Camera(width=256, height=144, fov=100.0)
    rows = []
    for name, weather in WEATHERS.items():
        row = []
        for state in range(len(SIGNAL_STATES)):
            large = shown(near, state, weather, camera)[22:78, 120:182].repeat(2, 0).repeat(2, 1)
            small = shown(far, state, weather, EYE)[8:36, 39:67].repeat(4, 0).repeat(4, 1)
            cell = np.full((len(large), large.shape[1] + GAP // 2 + small.shape[1], 3), PAPER, np.uint8)
            cell[:, : large.shape[1]], cell[:, -small.shape[1] :] = large, small
            row.append(cell)
        rows.append((name, row))
    note = "left: 14 m away, part of 256 × 144 px, twice as large; "
    note += "right: 25 m away, part of 96 × 64 px, four times; 100° wide"
    return page("Traffic lights", note, list(SIGNAL_STATES), rows, 84)


def above() -> np.ndarray:
    """One crossing with road users of every kind, through the camera and from above."""
    actors = (
        ActorSpec("cyclist", "bicycle", 0x1F78B4, "south", distance=4.0, side=1.1),
        ActorSpec("crossing", "walker", 0xC83848, "south", "outbound", distance=1.0, side=-0.6),
        ActorSpec("waiting", "walker", 0xE0B030, "south", distance=2.0, side=4.4),
        ActorSpec("first cone", "cone", 0, "east", "outbound", distance=1.0, side=1.2),
        ActorSpec("second cone", "cone", 0, "east", "outbound", distance=3.0, side=0.6),
        ActorSpec("third cone", "cone", 0, "east", "outbound", distance=5.0, side=0.0),
        ActorSpec("oncoming", "car", 0xD8D8D4, "north", "inbound", distance=3.0),
        ActorSpec("from the left", "van", 0x4C6A92, "west", "inbound", distance=3.0),
    )
    backend = EmbeddedWorld(1, EYE, Simulation(actors=len(actors) + 1))
    backend.reset([Episode("above", 5, CROSSING, distance=14.0, weather=MORNING, actors=actors)])
    world = backend.world
    world.yaw[0, 2], world.speed[0, 2] = world.yaw[0, 0] + np.pi / 2, 1.4
    world.clock[0] = 20_500  # red for ego, green for crossing traffic
    side = 380
    view = render(backend.maps.arrays, world, Camera(width=560, height=side, fov=84.0))[0]
    yaw = float(world.yaw[0, 0])
    centre = float(world.x[0, 0]) + 17.0 * np.cos(yaw), float(world.y[0, 0]) + 17.0 * np.sin(yaw)
    window = Viewport(centre, 44.0, side, side, yaw)
    map_picture = top_down(backend.maps.maps[0], window, boxes_of(world, 0),
                           lamps=lamps_of(backend.maps.arrays, world, 0))  # fmt: skip
    sheet = np.full((40 + side + EDGE, 2 * EDGE + 560 + GAP + side, 3), PAPER, np.uint8)
    sheet[40 : 40 + side, EDGE : EDGE + 560] = view
    sheet[40 : 40 + side, EDGE + 560 + GAP : EDGE + 560 + GAP + side] = map_picture
    note = "discs are walkers, darts cyclists, triangles cones; ego is orange"
    return write(sheet, [Text("One crossing, seen by ego and from above", EDGE, 28, 18, bold=True),
                         Text(note, sheet.shape[1] - EDGE, 28, 13, FAINT, anchor="rs")])  # fmt: skip


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "actor-kinds.png": kinds,
    "signal-states.png": states,
    "actors-above.png": above,
}


if __name__ == "__main__":
    draw_all(PICTURES, __doc__)
