"""Measures every sensor, and draws one place seen by all of them for docs/reference/sensors.md.

    python benchmarks/sensors.py                 # prints microseconds a frame, redraws docs/images/sensor-*.png
    python benchmarks/sensors.py --only pictures

The place is made here; the same code draws the same pixels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from sheets import FOLDER, save

from sim.actors.tags import PALETTE, TAGS
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Weather
from sim.datatypes.simulation import Simulation
from sim.sensors.base import Sensor
from sim.sensors.birdseye import MASKS, Birdseye
from sim.sensors.depth import Depth
from sim.sensors.geometry_pass import FAR
from sim.sensors.gnss import Gnss
from sim.sensors.imu import Imu
from sim.sensors.instance import Instance
from sim.sensors.lidar import Lidar, azimuths, elevations
from sim.sensors.optical_flow import OpticalFlow
from sim.sensors.rgb import Rgb
from sim.sensors.semantic import Semantic
from sim.sensors.speedometer import Speedometer
from sim.viz.top_down import FAINT, INK, PAPER, Text, write
from sim.world.embedded import EmbeddedWorld

PLACE = Episode(
    "gallery", 3, MapSpec("crossroads", (("arm", 60.0),), kind="crossroads"), distance=13.0, speed=6.0,
    weather=Weather(cloudiness=35.0, sun_altitude_angle=38.0, sun_azimuth_angle=-60.0),
    actors=(
        ActorSpec("oncoming", "car", 0xB03028, "north", "inbound", distance=4.0),
        ActorSpec("crossing", "truck", 0x3060A0, "west", "inbound", distance=2.0),
        ActorSpec("parked", "van", 0xE0E0E0, "south", "inbound", distance=2.0, side=4.4),
        ActorSpec("leaving", "car", 0xD8A020, "east", "outbound", distance=3.0),
        ActorSpec("behind", "car", 0x2F7D4F, "south", "inbound", distance=27.0),
        ActorSpec("gone", "car", 0x404850, "south", "outbound", distance=24.0),
    ),
)  # fmt: skip
LARGE = Camera(width=640, height=360, fov=90.0)
BACK = Camera(width=640, height=360, fov=90.0, yaw=180.0, forward=-1.0)
EYE = Camera()  # what a learner gets
VIEW = Birdseye(width=128, height=128, metres=48.0, forward=8.0)
SCANNER = Lidar(rays=720, channels=16, range=40.0)
TIMED: dict[str, Sensor] = {
    "rgb 96 x 64": Rgb(EYE), "rgb 256 x 144": Rgb(Camera(width=256, height=144, fov=90.0)), "depth 96 x 64": Depth(EYE),
    "semantic 96 x 64": Semantic(EYE), "instance 96 x 64": Instance(EYE), "optical flow 96 x 64": OpticalFlow(EYE),
    "birdseye 128 x 128": Birdseye(128, 128), "lidar 8 x 360": Lidar(),
    "lidar 32 x 720": Lidar(rays=720, channels=32), "imu": Imu(), "gnss": Gnss(), "speedometer": Speedometer(),
}  # fmt: skip
MASK_COLOURS = ((176, 180, 186), (255, 255, 255), (222, 205, 160), (240, 84, 48), (31, 111, 178))  # by MASKS
NEAR, WIDE = 1.5, 120.0  # limits of the depth picture's scale [m]
EDGE, HEAD = 14, 58  # around a page, and its words on top [px]


# --------------------------------------------------------------------------------------------------------- speed
def speeds() -> None:
    """Print how long a frame takes, alone and in a batch of 64, on one thread: the median of several rounds."""
    print(f"{'us a frame':22s}{'B = 1':>9s}{'B = 64':>9s}")
    for name, sensor in TIMED.items():
        row = ""
        for worlds in (1, 64):
            backend = EmbeddedWorld(worlds, EYE, Simulation(actors=1 + len(PLACE.actors)), sensors={"it": sensor})
            backend.reset([PLACE] * worlds)
            backend.sense()
            times, calls = [], max(1, 128 // worlds)
            for _ in range(9):
                start = time.perf_counter()
                for _ in range(calls):
                    backend.sense()
                times.append((time.perf_counter() - start) / calls / worlds)
            row += f"{np.median(times) * 1e6:9.1f}"
        print(f"{name:22s}{row}", flush=True)


# ------------------------------------------------------------------------------------------------------ pictures
def page(title: str, words: str, body: np.ndarray, foot: int = 0) -> tuple[np.ndarray, list[Text]]:
    """A sheet with a heading over `body` (H, W, 3) and `foot` rows of room below it, and its texts."""
    high, wide = body.shape[:2]
    sheet = np.full((HEAD + high + EDGE + foot, wide + 2 * EDGE, 3), PAPER, np.uint8)
    sheet[HEAD : HEAD + high, EDGE : EDGE + wide] = body
    return sheet, [Text(title, EDGE, 26, 18, bold=True), Text(words, EDGE, 46, 13, FAINT)]


def swatch(sheet: np.ndarray, x: int, y: int, colour: np.ndarray | tuple[int, ...]) -> None:
    """Draw a small filled square with an edge."""
    sheet[y - 11 : y + 1, x : x + 12] = INK
    sheet[y - 10 : y, x + 1 : x + 11] = colour


def picture_of(camera: Camera, title: str) -> Callable[[EmbeddedWorld], np.ndarray]:
    """A function that draws a sheet with a camera's picture."""

    def draw(backend: EmbeddedWorld) -> np.ndarray:
        size = f"{camera.width} × {camera.height}, {camera.fov:g}° wide, {camera.up:g} m up"
        words = f"kind: rgb, yaw: {camera.yaw:g}, forward: {camera.forward:g}; {size}"
        return write(*page(title, words, Rgb(camera).sense(backend.maps, backend.world, 1)[0]))

    return draw


def depth_sheet(backend: EmbeddedWorld) -> np.ndarray:
    """A sheet with depth as colours, and their scale."""
    depth = Depth(LARGE).sense(backend.maps, backend.world, 1)[0, ..., 0]

    def colours(metres: np.ndarray) -> np.ndarray:
        share = np.clip(np.log(metres / NEAR) / np.log(WIDE / NEAR), 0.0, 1.0)
        return cv2.applyColorMap((255 - share * 235).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]

    body = colours(depth)
    body[depth >= FAR] = (226, 229, 233)
    sheet, texts = page("depth, ahead", "kind: depth; metres along the view, float32; the sky is 1000", body, 44)
    top, wide = HEAD + LARGE.height + 12, LARGE.width - 110
    scale = np.exp(np.linspace(np.log(NEAR), np.log(WIDE), wide))
    sheet[top : top + 14, EDGE : EDGE + wide] = colours(scale[None])
    for metres in (2, 5, 10, 20, 50, 100):
        x = EDGE + int(np.log(metres / NEAR) / np.log(WIDE / NEAR) * wide)
        sheet[top + 14 : top + 19, x : x + 2] = INK
        texts.append(Text(f"{metres} m", x, top + 33, 13, anchor="ms"))
    swatch(sheet, EDGE + wide + 30, top + 13, (226, 229, 233))
    texts.append(Text("sky", EDGE + wide + 48, top + 13, 13))
    return write(sheet, texts)


def semantic_sheet(backend: EmbeddedWorld) -> np.ndarray:
    """A sheet with tags in CARLA's colours, and the tags that occur."""
    tags = Semantic(LARGE).sense(backend.maps, backend.world, 1)[0, ..., 0]
    words = "kind: semantic; CARLA 0.9.16's numbers and CityScapes colours"
    sheet, texts = page("semantic, ahead", words, PALETTE[tags], 48)
    for n, tag in enumerate(np.unique(tags)):
        x, y = EDGE + n % 6 * 108, HEAD + LARGE.height + 20 + n // 6 * 20
        swatch(sheet, x, y, PALETTE[tag])
        texts.append(Text(f"{tag} {TAGS[tag]}", x + 17, y, 13))
    return write(sheet, texts)


def birdseye_sheet(backend: EmbeddedWorld) -> np.ndarray:
    """A sheet with the masks on top of each other, and each alone."""
    masks = VIEW.sense(backend.maps, backend.world, 1)[0] > 0
    colours = np.full((VIEW.height, VIEW.width, 3), (214, 226, 205), np.uint8)
    order = [MASKS.index(name) for name in ("drivable", "junction", "marking", "actors", "ego")]
    for c in order:
        colours[masks[..., c]] = MASK_COLOURS[c]
    side, small, gap = 512, 160, 6
    body = np.full((side, side + gap + small, 3), PAPER, np.uint8)
    body[:, :side] = cv2.resize(colours, (side, side), interpolation=cv2.INTER_NEAREST)
    each = (side - 4 * gap) // 5
    texts: list[Text] = []
    for n, name in enumerate(MASKS):
        top = n * (each + gap)
        alone = np.where(masks[..., n, None], MASK_COLOURS[n], (44, 48, 56)).astype(np.uint8)
        body[top : top + each, side + gap : side + gap + each] = cv2.resize(
            alone, (each, each), interpolation=cv2.INTER_AREA
        )
        texts.append(Text(name, side + gap + each + 4 + EDGE, HEAD + top + each / 2, 12, anchor="lm"))
    words = f"kind: birdseye; {VIEW.width} × {VIEW.height}, {VIEW.metres:g} m wide, heading up; the route is left out"
    sheet, heading = page("birdseye", words, body)
    return write(sheet, heading + texts)


def lidar_sheet(backend: EmbeddedWorld) -> np.ndarray:
    """A sheet with every lidar return from above, in its tag's colour."""
    found = SCANNER.sense(backend.maps, backend.world, 1)[0]
    elevation = elevations(SCANNER.channels, SCANNER.lower, SCANNER.upper)[:, None]
    flat = found[..., 0] * np.cos(elevation)
    ahead, left = flat * np.cos(azimuths(SCANNER.rays)), flat * np.sin(azimuths(SCANNER.rays))
    side, scale, fine = 640, 9.4, 3
    body = np.full((side * fine, side * fine, 3), (24, 27, 34), np.uint8)
    middle, pixel = side * fine / 2, scale * fine
    centre = (int(middle), int(middle))
    for metres in (10, 20, 30):
        cv2.circle(body, centre, int(metres * pixel), (66, 72, 84), 2, cv2.LINE_AA)
    met = found[..., 1] > 0
    palette = np.maximum(PALETTE, 60)
    palette[TAGS.index("Car")], palette[TAGS.index("Truck")] = (90, 140, 255), (90, 220, 255)
    palette[TAGS.index("Building")] = (205, 205, 205)
    for x, y, tag in zip(ahead[met], left[met], found[..., 1][met].astype(int)):
        at = (round(middle - y * pixel), round(middle - x * pixel))
        cv2.circle(body, at, 4, palette[tag].tolist(), -1, cv2.LINE_AA)
    corners = [(-SCANNER.forward - 0.85, -0.91), (-SCANNER.forward + 3.55, 0.91)]
    a, b = ((round(middle - y * pixel), round(middle - x * pixel)) for x, y in corners)
    cv2.rectangle(body, a, b, (240, 84, 48), -1)
    body = cv2.resize(body, (side, side), interpolation=cv2.INTER_AREA)
    size = f"{SCANNER.channels} channels × {SCANNER.rays} rays, to {SCANNER.range:g} m, {SCANNER.up:g} m up"
    words = f"kind: lidar; {size}; from above, heading up"
    sheet, texts = page("lidar", words, body, 48)
    half = HEAD + side / 2
    for metres in (10, 20, 30):  # at the rings, ahead and to the left
        off = metres * scale * 0.7071
        texts.append(Text(f"{metres} m", EDGE + side / 2 - off, half - off, 12, (170, 176, 186), anchor="mm"))
    texts.append(Text("ego", EDGE + side / 2 + 12, half + 4, 12, (240, 84, 48), bold=True))
    for n, tag in enumerate(np.unique(found[..., 1][met]).astype(int)):
        x, y = EDGE + n % 6 * 108, HEAD + side + 20 + n // 6 * 20
        swatch(sheet, x, y, palette[tag])
        texts.append(Text(f"{tag} {TAGS[tag]}", x + 17, y, 13))
    return write(sheet, texts)


PICTURES: dict[str, Callable[[EmbeddedWorld], np.ndarray]] = {
    "sensor-front.png": picture_of(LARGE, "rgb, ahead"), "sensor-rear.png": picture_of(BACK, "rgb, behind"),
    "sensor-depth.png": depth_sheet, "sensor-semantic.png": semantic_sheet, "sensor-birdseye.png": birdseye_sheet,
    "sensor-lidar.png": lidar_sheet,
}  # fmt: skip


def main() -> None:
    """Measure, then draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the pictures are written to")
    parser.add_argument("--only", choices=("speed", "pictures"), help="do one of the two")
    options = parser.parse_args()
    if options.only != "pictures":
        speeds()
    if options.only != "speed":
        backend = EmbeddedWorld(1, EYE, Simulation(actors=1 + len(PLACE.actors)))
        backend.reset([PLACE])
        for name, draw in PICTURES.items():
            save(draw(backend), options.out / name)


if __name__ == "__main__":
    main()
