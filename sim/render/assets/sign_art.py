"""Paint the pictures of signs: text boards, stop, yield and speed-limit signs, with weathering.

A board shows any text, wrapped onto one to four lines at the largest size that fits; traffic signs have their own
shapes.  Letters are the DejaVu fonts that matplotlib ships.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sim.actors.signs import LINES, PANELS, SIGN_KINDS, SignDesign
from sim.datatypes.episode import SignSpec
from sim.render.assets.canvas import Picture
from sim.render.assets.texel import HOLE, PLAIN

Colour = tuple[int, int, int]

FONTS: tuple[str, ...] = ("plain", "narrow", "serif")
# Background and letter colour of a board.
BOARD_COLOURS: dict[str, tuple[Colour, Colour]] = {
    "orange": ((240, 128, 28), (18, 16, 14)), "white": ((236, 237, 234), (16, 17, 20)),
    "yellow": ((246, 200, 24), (18, 17, 14)), "green": ((0, 104, 68), (240, 242, 240)),
    "blue": ((0, 76, 152), (240, 242, 244)),
}  # fmt: skip
LEAST_LETTER = 0.17  # [m] height of the smallest capital that is painted
MARGIN = 0.11  # [m] from a board's edge to its letters
PATTERNS = 16  # patterns of dirt and scratches

_FINE, _BOARD_FINE = 400, 240  # [px/m] of the canvas that is averaged down to the picture: traffic signs, boards
_EM = 100  # [px] font size at which letters are measured
_CAPITAL = 0.73  # height of a capital over the size of DejaVu's letters
_PITCH = 1.12  # distance between lines over the letter size
_SIZES = {"stop": 0.43, "speed": 0.52}  # letter size of traffic signs over the panel's height
_SQUEEZE = 0.70  # width of the narrow font over the width of the plain font
_STRETCH = 1.30  # greatest vertical stretch of letters where a board has room
_RED, _WHITE, _BLACK = (186, 24, 30), (238, 239, 236), (18, 18, 20)
_DIRT = np.array([86, 74, 56], np.float32)
_RUST = np.array([112, 62, 34], np.float32)


# ------------------------------------------------------------------------------------------------------- lettering
@functools.lru_cache(maxsize=64)
def _font(font: str, size: int) -> Any:
    from PIL import ImageFont  # at use: a world without signs needs no fonts

    found = find_spec("matplotlib")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("signs are lettered with the fonts that matplotlib ships, and it is not installed")
    name = "DejaVuSerif-Bold.ttf" if font == "serif" else "DejaVuSans-Bold.ttf"
    return ImageFont.truetype(Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / name, size)


def _width(text: str, font: str) -> float:
    """Width of a line of text over its letter size."""
    return float(_font(font, _EM).getlength(text)) / _EM * (_SQUEEZE if font == "narrow" else 1.0)


@functools.lru_cache(maxsize=512)
def wrapped(text: str, font: str) -> tuple[tuple[str, ...], float]:
    """The lines of a board's text and the letter size [m]: the largest that fits, in at most LINES lines."""
    wide, tall, _ = PANELS["text"]
    words = text.split()
    best: tuple[tuple[str, ...], float] = ((text,), 0.0)
    for count in range(1, min(LINES, len(words)) + 1):
        height = (tall - 2 * MARGIN) / (_CAPITAL + _PITCH * (count - 1))
        for cuts in itertools.combinations(range(1, len(words)), count - 1):
            edges = (0, *cuts, len(words))
            lines = tuple(" ".join(words[a:b]) for a, b in itertools.pairwise(edges))
            size = min(height, (wide - 2 * MARGIN) / max(_width(line, font) for line in lines))
            if size > best[1] + 1e-9:
                best = lines, size
    return best


def letter_height(face: SignDesign) -> float:
    """Height of the capitals on a sign [m]; half the panel's height for a yield sign, known by its shape alone."""
    kind = face.kind.partition("_")[0]
    if kind == "text":
        return _CAPITAL * wrapped(face.text, face.font)[1]
    return _CAPITAL * _SIZES[kind] * face.panel[1] if kind in _SIZES else 0.5 * face.panel[1]


def check_text(text: Any, font: str = "plain") -> str:
    """Check that a board can carry `text` in this font; return it with single spaces.

    Raises:
        ValueError: one sentence: the text is not a string, empty, has characters that the font lacks, or is too long.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'{text!r} are no words for a board; wanted text in quotes, such as "ROAD WORK"')
    text = " ".join(text.split())
    nothing = bytes(_font(font, _EM).getmask("\U0010ffff"))
    for letter in dict.fromkeys(text):
        if not letter.isprintable() or (letter != " " and bytes(_font(font, _EM).getmask(letter)) == nothing):
            raise ValueError(f"the text {text!r} has {letter!r}, which the font {font} has no letter for")
    room = PANELS["text"][0] - 2 * MARGIN
    least = LEAST_LETTER / _CAPITAL
    fits = int(room / least / (_width(text, font) / len(text)))  # letters such as these, on one line
    long = max(text.split(), key=lambda word: _width(word, font))
    told = f"a board takes {LINES} lines of about {fits} such letters, {LINES * fits} in all, in the font {font}"
    if len(text) > LINES * fits * 2 or wrapped(text, font)[1] < least:
        what = f"its word {long!r}" if _width(long, font) * least > room else f"{len(text)} letters"
        raise ValueError(f"the text {text!r} is too long: {what}; {told}")
    return text


def _letters(canvas: np.ndarray, lines: Sequence[str], font: str, size: float, colour: Colour,
             stretch: float = 1.0, centre: float = 0.5) -> None:  # fmt: skip
    """Draw centred lines of text; size: of the letters [px]; centre: of the block, over the canvas's height."""
    from PIL import Image, ImageDraw

    height, width = canvas.shape[:2]
    squeeze = _SQUEEZE if font == "narrow" else 1.0
    block = size * (_CAPITAL + _PITCH * (len(lines) - 1))
    for i, line in enumerate(lines):
        mask = Image.new("L", (round(width / squeeze), round(2 * size)))
        pen = ImageDraw.Draw(mask)
        pen.text((mask.width / 2, 1.4 * size), line, 255, font=_font(font, max(round(size), 8)), anchor="ms")
        fitted = cv2.resize(np.array(mask), (width, round(2 * size * stretch)), interpolation=cv2.INTER_AREA)
        base = centre * height + stretch * (size * _CAPITAL - block / 2 + i * _PITCH * size)
        top = round(base - 1.4 * size * stretch)
        low, high = max(top, 0), min(top + fitted.shape[0], height)
        ink = fitted[low - top : high - top, :, None].astype(np.float32) / 255.0
        canvas[low:high] += (np.array(colour, np.float32) - canvas[low:high]) * ink


# -------------------------------------------------------------------------------------------------------- painting
def _shape(height: int, width: int, points: Sequence[tuple[float, float]], inset: float = 0.0) -> np.ndarray:
    """(H, W) bool: inside a polygon given in fractions of the canvas, shrunk by `inset` [px]."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.array([(x * width, y * height) for x, y in points], np.float32).round().astype(np.int32)], 1)
    if inset <= 0:
        return mask > 0
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5))[1:-1, 1:-1] > inset


def _rounded(height: int, width: int, inset: float, radius: float) -> np.ndarray:
    """(H, W) bool: a rectangle with round corners."""
    x, y = (np.abs(np.arange(n) + 0.5 - n / 2) - (n / 2 - inset - radius) for n in (width, height))
    return np.maximum(x, 0.0)[None] ** 2 + np.maximum(y, 0.0)[:, None] ** 2 <= radius**2


def _board(face: SignDesign, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    ground, ink = BOARD_COLOURS[face.colour]
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = ground
    m = _BOARD_FINE
    line = _rounded(height, width, 0.035 * m, 0.115 * m) & ~_rounded(height, width, 0.065 * m, 0.09 * m)
    canvas[line] = ink
    lines, size = wrapped(face.text, face.font)
    room = (PANELS["text"][1] - 2 * MARGIN) / (size * (_CAPITAL + _PITCH * (len(lines) - 1)))
    _letters(canvas, lines, face.font, size * m, ink, min(_STRETCH, max(room, 1.0)))
    return canvas, _rounded(height, width, 0, 0.15 * m)


def _stop(face: SignDesign, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    k = 1.0 / (2.0 + 2.0**0.5)
    points = [(k, 0), (1 - k, 0), (1, k), (1, 1 - k), (1 - k, 1), (k, 1), (0, 1 - k), (0, k)]
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = _WHITE
    canvas[_shape(height, width, points, 13)] = _RED
    _letters(canvas, ["STOP"], "narrow", _SIZES["stop"] * height, _WHITE, 1.15)
    return canvas, _shape(height, width, points)


def _yield(face: SignDesign, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    points = [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)]
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = _WHITE
    canvas[_shape(height, width, points, 5)] = _RED
    canvas[_shape(height, width, points, 46)] = _WHITE
    return canvas, _shape(height, width, points)


def _speed(face: SignDesign, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = _WHITE
    disc = [_rounded(height, width, inset, height / 2 - inset) for inset in (0, 5, 46)]
    canvas[disc[1]] = _RED
    canvas[disc[2]] = _WHITE
    number = face.kind.partition("_")[2]
    _letters(canvas, [number], "plain" if len(number) < 3 else "narrow", _SIZES["speed"] * height, _BLACK)
    return canvas, disc[0]


@functools.lru_cache(maxsize=128)
def paint_sign(face: SignDesign) -> Picture:
    """Paint a new sign: (H, W, 4) uint8, RGB and class, sides powers of two; the last 128 are cached."""
    wide, tall, _ = face.panel
    fine = _BOARD_FINE if face.kind == "text" else _FINE
    height, width = round(tall * fine), round(wide * fine)
    paint = {"text": _board, "stop": _stop, "yield": _yield, "speed": _speed}[face.kind.partition("_")[0]]
    canvas, solid = paint(face, height, width)
    size = (256, 128) if face.kind == "text" else (128, 128)
    colour = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(solid.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
    picture = np.concatenate([colour.round(), np.where(inside, PLAIN, HOLE)[..., None]], -1).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def _soft(rng: np.random.Generator, shape: tuple[int, int], across: float, down: float) -> np.ndarray:
    """Noise in 0..1, smooth over `across` and `down` texels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), sigmaX=across, sigmaY=down)
    return np.asarray(np.clip(0.5 + 0.28 * noise / (noise.std() + 1e-6), 0.0, 1.0))


def weathered(face: SignDesign, wear: float, pattern: int) -> Picture:
    """Paint a sign with weathering: faded, dirty, scratched and rusty.

    Args:
        wear: 0 (new) to 1; pattern: of dirt and scratches, 0 to PATTERNS - 1.
    """
    new = paint_sign(face)
    if wear <= 0:
        return new
    rng = np.random.default_rng([pattern, 7])
    shape = new.shape[:2]
    p = new[..., :3].astype(np.float32)
    grey = p.mean(-1, keepdims=True)
    p += (0.45 * grey + 0.55 * 178.0 - p) * np.float32(0.42 * wear)  # the sun bleaches colours and letters
    film = _soft(rng, shape, 22, 10) * _soft(rng, shape, 3, 2) * 1.6
    streak = np.clip(_soft(rng, shape, 1.6, 22) - 0.52, 0, 1) * 2.0
    low = np.linspace(0.25, 1.0, shape[0], dtype=np.float32)[:, None]
    dirt = np.clip(film * (0.35 + 0.5 * low) + streak * 0.5, 0, 1) * np.float32(0.8 * wear)
    p += (_DIRT - p) * dirt[..., None]
    for _ in range(round(14 * wear)):  # scratches down to the primer
        x, y = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        angle, length = rng.normal(0.3, 0.7), rng.uniform(8, 46)
        mask = np.zeros(shape, np.uint8)
        end = (round(x + length * np.cos(angle)), round(y + length * np.sin(angle)))
        cv2.line(mask, (round(x), round(y)), end, 255, 1, cv2.LINE_AA)
        p += (rng.uniform(120, 205) - p) * (mask[..., None] * np.float32(rng.uniform(0.3, 0.7) / 255))
    for _ in range(round(9 * max(wear - 0.2, 0.0))):  # rust, with its runs
        x, y = int(rng.integers(shape[1])), int(rng.integers(shape[0]))
        mask = np.zeros(shape, np.uint8)
        cv2.circle(mask, (x, y), int(rng.integers(1, 4)), 255, -1, cv2.LINE_AA)
        cv2.line(mask, (x, y), (x, y + int(rng.integers(6, 26))), 110, 1, cv2.LINE_AA)
        p += (_RUST - p) * (cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None] * np.float32(0.8 / 255))
    return np.concatenate([np.clip(p, 0, 255).round(), new[..., 3:]], -1).astype(np.uint8)


def design_of(spec: SignSpec) -> SignDesign:
    """The design of a sign spec: kind, text, colour and font, checked.

    Raises:
        ValueError: one sentence with the sign's name, what was found and the known words.
    """
    for what, found, known in (
        ("kind", spec.kind, SIGN_KINDS), ("font", spec.font, FONTS), ("colour", spec.colour, tuple(BOARD_COLOURS)),
    ):  # fmt: skip
        if found not in known:
            raise ValueError(f"sign {spec.name}: unknown {what} {found!r}; known are {', '.join(known)}")
    if not 0.0 <= spec.weathering <= 1.0:
        raise ValueError(f"sign {spec.name}: weathering is {spec.weathering}; wanted 0 (new) to 1")
    if spec.kind != "text":
        return SignDesign(spec.kind)
    try:
        return SignDesign(spec.kind, check_text(spec.text, spec.font), spec.colour, spec.font)
    except ValueError as error:
        raise ValueError(f"sign {spec.name}: {error}") from None
