"""Draws the pictures of docs/reference/signs.md, and measures legibility and the cost of a sign.

    python benchmarks/signs.py
    python benchmarks/signs.py --out /folder/for/a/look --measure

Every view is that of a camera with 256 x 144 pixels and 60 degrees, unless stated otherwise; boards stand 3.8 m to the
right of the lane's middle.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from sheets import FOLDER, save

from sim.actors.signs import PANELS, SignDesign
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode, MapSpec, SignSpec, Weather
from sim.render.assets.sign_art import FONTS, paint_sign, weathered
from sim.render.rgb import camera_rays, render
from sim.viz.top_down import FAINT, PAPER, Text, write
from sim.world.embedded import EmbeddedWorld

MAP = MapSpec("t_junction", (("arm", 60.0),))
FRONT = Camera(width=256, height=144, fov=60.0)
EYE = Camera()
BOARD = SignSpec("board", text="DETOUR IF WET", colour="orange", distance=12.0)
DISTANCES = (5.0, 10.0, 15.0, 25.0)  # [m] from the camera to the board, along the road
# Thirteen characters each, so that only the wording differs.
TEXTS = ("DETOUR IF WET", "DETOUR IF DRY", "RETURN IF WET", "SCHOOL IS OFF", "BRIDGE IS OUT", "WATCH FOR ICE",
         "ROAD WORK END", "DETOUR AT SIX")  # fmt: skip
DAY, NIGHT = Weather(), Weather(sun_altitude_angle=-20.0)
WEATHERS = {
    "day": DAY,
    "rain": Weather(precipitation=80.0, cloudiness=90.0, wetness=80.0, precipitation_deposits=60.0),
    "fog": Weather(fog_density=50.0, cloudiness=60.0),
    "night": NIGHT,
    "night\nand rain": replace(NIGHT, precipitation=80.0, cloudiness=90.0, wetness=80.0),
}
GAP, EDGE = 6, 14  # between pictures, around the page [px]


# ------------------------------------------------------------------------------------------------------ one picture
def view(signs: Sequence[SignSpec], away: float, weather: Weather = DAY, camera: Camera = FRONT,
         seed: int = 3) -> np.ndarray:  # fmt: skip
    """(H, W, 3) uint8: what the camera sees `away` [m] before the first of the signs."""
    distance = signs[0].distance + away + camera.forward
    episode = Episode("signs", seed, map=MAP, distance=distance, speed=0.0, weather=weather, signs=tuple(signs))
    backend = EmbeddedWorld(1, camera)
    backend.reset([episode])
    return render(backend.maps.arrays, backend.world, camera)[0]


def corners(sign: SignSpec, away: float, camera: Camera = FRONT) -> np.ndarray:
    """(4, 2) pixels of a panel's corners from the top left clockwise, seen from the lane's middle `away` [m] before."""
    wide, tall, bottom = PANELS[sign.kind.partition("_")[0]]
    focal, middle, sine, cosine = camera_rays(camera).geometry[:4].astype(float)
    turn = np.radians(camera.yaw)
    found = []
    for across, up in ((-0.5, 1.0), (0.5, 1.0), (0.5, 0.0), (-0.5, 0.0)):
        right, high = sign.side + across * wide, bottom + up * tall - camera.up
        ahead = away * np.cos(turn) - right * np.sin(turn)
        right = away * np.sin(turn) + right * np.cos(turn)
        depth = ahead * cosine + high * sine
        found.append(
            (camera.width / 2 + focal * right / depth, middle - focal * (high * cosine - ahead * sine) / depth)
        )
    return np.array(found)


def told(picture: np.ndarray, sign: SignSpec, away: float, texts: Sequence[str] = TEXTS,
         camera: Camera = FRONT) -> dict[str, float]:  # fmt: skip
    """The correlation of a board's picture with each text, newly painted and warped to the same view.

    The seen text is warped by OpenCV at eight times the size and averaged down: it shares nothing with the camera.
    """
    at = corners(sign, away, camera)
    low, high = np.floor(at.min(0)).astype(int), np.ceil(at.max(0)).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, (camera.width, camera.height))
    size = high - low
    seen = picture[low[1] : high[1], low[0] : high[0]].astype(np.float32).mean(-1)
    scores = {}
    for text in texts:
        paint = paint_sign(SignDesign("text", text, sign.colour, sign.font))
        source = np.array([(0, 0), (paint.shape[1], 0), (paint.shape[1], paint.shape[0]), (0, paint.shape[0])])
        way = cv2.getPerspectiveTransform(source.astype(np.float32), ((at - low) * 8).astype(np.float32))
        fine = tuple(int(v) for v in size * 8)
        grey = paint[..., :3].astype(np.float32).mean(-1)
        alike = cv2.resize(
            cv2.warpPerspective(grey, way, fine), tuple(int(v) for v in size), None, 0, 0, cv2.INTER_AREA
        )
        inside = cv2.warpPerspective(np.ones_like(grey), way, fine)
        whole = cv2.resize(inside, tuple(int(v) for v in size), None, 0, 0, cv2.INTER_AREA) > 0.99
        scores[text] = float(np.corrcoef(seen[whole], alike[whole])[0, 1])
    return scores


def share_told(away: float, camera: Camera, weather: Weather, wear: float = 0.5, seeds: int = 3) -> float:
    """The share of boards (texts x fonts x seeds, black on orange) whose own text correlates best with the picture."""
    right = []
    for font in FONTS:
        for text in TEXTS:
            for seed in range(seeds):
                sign = replace(BOARD, text=text, font=font, weathering=wear)
                scores = told(view([sign], away, weather, camera, seed), sign, away, camera=camera)
                right.append(max(scores, key=scores.__getitem__) == text)
    return float(np.mean(right))


# ----------------------------------------------------------------------------------------------------------- sheets
def _page(title: str, note: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray]]],
          left: int = 104) -> np.ndarray:  # fmt: skip
    """Pictures in rows with headings."""
    head, label = 40, 22
    height, width = rows[0][1][0].shape[:2]
    page = np.full((head + label + len(rows) * (height + GAP) + EDGE - GAP, left + len(columns) * (width + GAP) + EDGE
                    - GAP, 3), PAPER, np.uint8)  # fmt: skip
    texts = [Text(title, EDGE, 28, 18, bold=True), Text(note, page.shape[1] - EDGE, 28, 13, FAINT, anchor="rs")]
    for j, name in enumerate(columns):
        texts.append(Text(name, left + j * (width + GAP) + width / 2, head + 14, 13, bold=True, anchor="ms"))
    for i, (name, pictures) in enumerate(rows):
        y = head + label + i * (height + GAP)
        texts += [Text(part, EDGE, y + 18 + 17 * k, 13, bold=k == 0) for k, part in enumerate(name.split("\n"))]
        for j, picture in enumerate(pictures):
            page[y : y + height, left + j * (width + GAP) : left + j * (width + GAP) + width] = picture
    return write(page, texts)


def _turned(away: float) -> Camera:
    """The front camera, turned towards a board that would be outside the picture."""
    return replace(FRONT, yaw=-24.0) if away < 8.0 else FRONT


def _cut(picture: np.ndarray, sign: SignSpec, away: float, camera: Camera, size: tuple[int, int],
         enlarged: int = 1) -> np.ndarray:  # fmt: skip
    """The part of a picture around a board; size: width, height [px] before it is enlarged."""
    middle = corners(sign, away, camera).mean(0)
    x, y = (int(np.clip(round(m - s / 2), 0, full - s)) for m, s, full in
            zip(middle, size, (camera.width, camera.height)))  # fmt: skip
    part = picture[y : y + size[1], x : x + size[0]]
    return part.repeat(enlarged, 0).repeat(enlarged, 1)


def distances() -> np.ndarray:
    """Fonts and wear at four distances: whole pictures."""
    rows = []
    for font, wear in ((f, w) for f in FONTS for w in (0.0, 0.5)):
        sign = replace(BOARD, font=font, weathering=wear)
        pictures = [_cut(view([sign], d, camera=_turned(d)), sign, d, _turned(d), (168, 92)) for d in DISTANCES]
        rows.append((f"{font}\nwear {wear:g}", pictures))
    note = "part of 256 × 144 pixels, 60°, pixel by pixel"
    return _page("Boards from 5 to 25 m", note, [f"{d:g} m" for d in DISTANCES], rows)


def weathers() -> np.ndarray:
    """One board at 15 m in every weather, enlarged beside the whole picture."""
    rows = []
    for name, weather in WEATHERS.items():
        pictures = []
        for font in FONTS:
            sign = replace(
                BOARD, font=font, weathering=0.5, colour={"plain": "orange", "narrow": "white"}.get(font, "green")
            )
            pictures.append(_cut(view([sign], 15.0, weather), sign, 15.0, FRONT, (72, 44), 4))
        rows.append((name, pictures))
    return _page("Boards at 15 m, wear 0.5", "part of 256 × 144 pixels, 60°, four times as large", FONTS, rows)


def kinds() -> np.ndarray:
    """Traffic signs and coloured boards up close."""
    close = Camera(width=400, height=300, fov=40.0, yaw=-20.0)
    small = [SignSpec(k, k, distance=12.0, side=2.9) for k in ("stop", "yield", "speed_30", "speed_80")]
    words = ("DETOUR IF WET", "ROAD WORK", "SCHOOL", "BRIDGE CLOSED USE NORTH ROAD")
    boards = [
        replace(BOARD, text=t, colour=c, font=f)
        for t, c, f in zip(words, ("orange", "yellow", "white", "green"), ("plain", "narrow", "serif", "narrow"))
    ]
    rows = []
    for wear in (0.0, 0.6):
        for name, signs in (("traffic signs", small), ("boards", boards)):
            pictures = []
            for sign in signs:
                old = replace(sign, weathering=wear)
                away = 7.0 if sign.kind == "text" else 4.2
                camera = replace(close, yaw=-float(np.degrees(np.arctan2(sign.side, away))), pitch=3.0)
                drawn = view([old], away, camera=camera)
                pictures.append(cv2.resize(drawn[20:280, 40:360], (208, 169), interpolation=cv2.INTER_AREA))
            rows.append((f"{name}\nwear {wear:g}", pictures))
    return _page("Signs up close", "drawn at 400 × 300", ["", "", "", ""], rows, 124)


# ------------------------------------------------------------------------------------------------------ measurement
def costs(camera: Camera, counts: Sequence[int] = (0, 1, 4), frames: int = 64) -> list[float]:
    """Time of a frame with so many boards in view [us]: one thread, least of twenty, measured in turn."""
    backends = []
    for count in counts:
        signs = tuple(replace(BOARD, name=f"b{i}", distance=14.0 - 2.0 * i, side=3.8 - 2.4 * i) for i in range(count))
        backends.append(EmbeddedWorld(frames, camera))
        episode = Episode("signs", 3, map=MAP, distance=30.0, speed=0.0, signs=signs)
        backends[-1].reset([episode] * frames)
    out = np.empty((frames, camera.height, camera.width, 3), np.uint8)
    least = [np.inf] * len(counts)
    for _ in range(20):
        for k, backend in enumerate(backends):
            start = time.perf_counter()
            render(backend.maps.arrays, backend.world, camera, out)
            least[k] = min(least[k], time.perf_counter() - start)
    return [x / frames * 1e6 for x in least]


def measure() -> None:
    """Print from which distance words can be told apart, and what boards cost."""
    for camera, name in (
        (FRONT, "256 x 144, 60 deg"),
        (replace(EYE, fov=60.0), "96 x 64, 60 deg"),
        (EYE, "96 x 64, 100 deg"),
    ):
        for weather in ("day", "night"):
            found = [
                (d, share_told(d, camera, WEATHERS[weather])) for d in (6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0)
            ]
            print(f"{name}, {weather}, wear 0.5: " + ", ".join(f"{d:g} m {s:.2f}" for d, s in found))
    for camera, name in ((EYE, "96 x 64"), (FRONT, "256 x 144")):
        print(f"{name}, 0, 1 and 4 boards in view: " + ", ".join(f"{us:.0f} us" for us in costs(camera)))
    begun = time.perf_counter()
    for i in range(32):
        weathered(SignDesign("text", f"DETOUR {i}", "orange", "plain"), 0.5, 0)
    middle = time.perf_counter()
    for i in range(32):
        weathered(SignDesign("text", "DETOUR 0", "orange", "plain"), 0.5, i)
    ended = time.perf_counter()
    print(f"a new text {(middle - begun) / 32e-3:.1f} ms, other dirt on it {(ended - middle) / 32e-3:.1f} ms")


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "sign-distances.png": distances,
    "sign-weathers.png": weathers,
    "sign-kinds.png": kinds,
}


def main() -> None:
    """Draw the sheets, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the pictures are written to")
    parser.add_argument("--measure", action="store_true", help="measure instead")
    options = parser.parse_args()
    if options.measure:
        measure()
        return
    for name, draw in PICTURES.items():
        save(draw(), options.out / name)


if __name__ == "__main__":
    main()
