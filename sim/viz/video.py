"""Annotated videos of one episode: the road, the learner's camera view, the map and the steering.

A film is an iterator of (H, W, 3) uint8 pictures; `write_film` encodes it as H.264, which browsers and notebooks
play.  The simulator knows no rules and no propositions: all text on a picture is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISIONS, OUTCOME, OUTCOMES, UNDECIDED, WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.viz.markers import EGO_COLOUR, Colour, boxes_of, lamps_of
from sim.viz.top_down import (
    FAINT,
    INK,
    PAPER,
    SHARPNESS,
    Line,
    Text,
    background,
    rounded_box,
    text_width,
    top_down,
    viewport_of,
    write,
)
from sim.world.backend import Backend
from sim.world.rollout import Driver, observe_for

FILM_CAMERA = Camera(width=640, height=360, fov=90.0)
COLUMN = 288  # [px] width of the column beside the large picture, if that has the size of FILM_CAMERA
HOLD = 1.2  # [s] for which the last picture is shown
WHEEL_RATIO = 9.0  # rotation of the drawn steering wheel per rotation of the front wheels
YES: Colour = (15, 138, 109)
NO: Colour = (190, 40, 40)
WHITE: Colour = (255, 255, 255)
PALE: Colour = (225, 228, 232)


# ------------------------------------------------------------------------------------------------------ files
def write_film(path: Path, frames: Iterable[np.ndarray], fps: int = 10) -> int:
    """Write frames as an H.264 video in an MP4 file that plays while it loads.

    Args:
        frames: (H, W, 3) uint8 RGB, all of one shape; an odd last row or column is repeated, as H.264 needs even sizes.
        fps: frames per second.

    Returns:
        The number of frames written.

    Raises:
        ValueError: for a film without frames, a file that is not .mp4, or a frame of another shape.
        OSError: if the file cannot be written; no partial file remains.
    """
    import av  # imported at use: only films need it

    path = Path(path)
    if path.suffix != ".mp4":
        raise ValueError(f"film {path.name!r} would be H.264 in MP4; give it a name that ends in .mp4")
    if not path.parent.is_dir():
        raise OSError(f"film {path} cannot be written: there is no folder {path.parent}")
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"film {path.name} has no frames; at least one is wanted")
    part = path.with_name(f".{path.stem}.part.mp4")
    count = 0
    try:
        with av.open(str(part), "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "20", "preset": "medium"})
            stream.pix_fmt = "yuv420p"
            stream.height, stream.width = (n + n % 2 for n in first.shape[:2])
            for frame in _and_rest(first, frames):
                if frame.shape != first.shape or frame.dtype != np.uint8:
                    raise ValueError(
                        f"frame {count} of film {path.name} is {frame.shape} {frame.dtype}; "
                        f"the first one was {first.shape} uint8"
                    )
                even = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")
                container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
                count += 1
            container.mux(stream.encode())
        part.replace(path)
    except OSError as error:
        raise OSError(f"film {path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _and_rest(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


# ------------------------------------------------------------------------------------------------- on a frame
def hud(
    frame: np.ndarray,
    speed: float,
    steer: float,
    propositions: Mapping[str, bool] | None = None,
    wanted: str = "",
    taken: str = "",
) -> np.ndarray:
    """Overlay speed, steering wheel, propositions and decision on a frame.

    All elements scale with the frame and do not overlap: labels that do not fit wrap to a second row, and a decision
    that does not fit beside the wheel is placed above it.

    Args:
        frame: (H, W, 3) uint8, best at 640 x 360.
        speed: [m/s]; shown in km/h.
        steer: angle of the front wheels [rad], positive to the left.
        propositions: name -> value, one label each.
        wanted: decision that the rule asks for; taken: the one that was carried out; "" omits either.
    """
    page = frame.copy()
    height, width = frame.shape[:2]
    scale = float(np.clip(min(width / FILM_CAMERA.width, height / FILM_CAMERA.height), 0.75, 3.0))
    texts: list[Text] = []

    def px(length: float) -> int:
        return round(length * scale)

    edge = px(10)
    x, y = edge, edge
    for name, value in (propositions or {}).items():
        words = f"{name.replace('_', ' ')}: {'yes' if value else 'no'}"
        wide = round(text_width(words, px(13), value)) + px(20)
        if x > edge and x + wide > width - edge:
            x, y = edge, y + px(30)
        rounded_box(page, (x, y), (wide, px(24)), px(12), YES if value else INK, 0.88 if value else 0.66)
        texts.append(Text(words, x + px(10), y + px(12.5), px(13), WHITE if value else PALE, bold=value, anchor="lm"))
        x += wide + px(6)
    top = height - edge - px(56)
    rounded_box(page, (edge, top), (px(150), px(56)), px(12), INK, 0.55)
    _wheel(page, (edge + px(30), top + px(28)), px(20), steer * WHEEL_RATIO)
    texts.append(Text(f"{speed * 3.6:.0f}", edge + px(102), top + px(30), px(25), WHITE, bold=True, anchor="rs"))
    texts.append(Text("km/h", edge + px(107), top + px(30), px(12), PALE))
    texts.append(Text(_wheels_said(math.degrees(steer)), edge + px(62), top + px(47), px(11), PALE))
    if words := _decision(wanted, taken):
        wide = round(text_width(words, px(14), True)) + px(28)
        right = width - edge - wide
        level = height - edge - px(32) if right > edge + px(156) else top - px(38)
        colour = INK if not (wanted and taken) else YES if wanted == taken else NO
        rounded_box(page, (right, level), (wide, px(32)), px(12), colour, 0.8)
        texts.append(Text(words, right + wide / 2, level + px(16), px(14), WHITE, bold=True, anchor="mm"))
    return write(page, texts)


def _decision(wanted: str, taken: str) -> str:
    """The rule's decision and the one taken, with a mark that is readable without colours."""
    said = [f"rule asks: {wanted}"] * bool(wanted) + [f"took: {taken}"] * bool(taken)
    mark = "" if not (wanted and taken) else "  ✓" if wanted == taken else "  ✗"
    return "   ·   ".join(said) + mark


def _wheels_said(degrees: float) -> str:
    whole = round(degrees)
    return f"wheels {abs(whole)}°{' left' if whole > 0 else ' right' if whole < 0 else ''}"


def _wheel(page: np.ndarray, centre: tuple[int, int], radius: int, turn: float) -> None:
    """Draw a steering wheel turned anticlockwise by `turn` [rad]; drawn large and averaged down."""
    side, sharp = radius * 2 + 6, 4
    x, y = centre[0] - side // 2, centre[1] - side // 2
    patch = cv2.resize(page[y : y + side, x : x + side], None, fx=sharp, fy=sharp, interpolation=cv2.INTER_NEAREST)
    middle = side * sharp // 2
    cv2.circle(patch, (middle, middle), radius * sharp, WHITE, 4 * sharp, cv2.LINE_AA)
    for angle in (0.0, math.pi, 1.5 * math.pi):
        end = np.array([math.cos(angle + turn), -math.sin(angle + turn)]) * radius * sharp + middle
        cv2.line(patch, (middle, middle), tuple(np.round(end).astype(int).tolist()), WHITE, 3 * sharp, cv2.LINE_AA)
    cv2.circle(patch, (middle, middle), 4 * sharp, EGO_COLOUR, -1, cv2.LINE_AA)
    page[y : y + side, x : x + side] = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)


def steering_trace(
    steers: np.ndarray, tick: float, width: int, height: int, limit: float = math.radians(30), scale: float = 1.0
) -> np.ndarray:
    """Draw a chart of the wheel angle so far: left is up, time runs right, and the axis grows in steps of 4 s.

    Args:
        steers: (T,) front wheel angles [rad]; tick: between two of them [s]; limit: end of
            the axis [rad]; scale: of text and margins.
    """
    page = np.full((height, width, 3), WHITE, np.uint8)
    left, right, top, bottom = (round(margin * scale) for margin in (62, 18, 26, 22))
    small_size, gap = round(11 * scale), 8 * scale
    seconds = max(8.0, 4.0 * math.ceil(len(steers) * tick / 4.0))
    middle = top + (height - top - bottom) / 2
    tall = (height - top - bottom) / 2
    across = (width - left - right) / seconds
    big = np.repeat(np.repeat(page, SHARPNESS, 0), SHARPNESS, 1)

    def pen(x: float, y: float) -> tuple[int, int]:
        return round(x * SHARPNESS), round(y * SHARPNESS)

    for second in range(0, int(seconds) + 1, 2 if seconds <= 60 else 10):
        x = left + second * across
        cv2.line(big, pen(x, top), pen(x, height - bottom), (233, 235, 238), 1)
    for y in (top, height - bottom):
        cv2.line(big, pen(left, y), pen(width - right, y), (233, 235, 238), 1)
    cv2.line(big, pen(left, middle), pen(width - right, middle), (180, 185, 192), SHARPNESS)
    if len(steers):
        xs = left + np.arange(len(steers)) * tick * across
        ys = middle - np.clip(np.asarray(steers) / limit, -1, 1) * tall
        points = np.round(np.stack([xs, ys], 1) * SHARPNESS * 16).astype(np.int32)
        cv2.polylines(big, [points], False, EGO_COLOUR, round(2 * scale * SHARPNESS), cv2.LINE_AA, shift=4)
        cv2.circle(big, pen(xs[-1], ys[-1]), round(4 * scale * SHARPNESS), EGO_COLOUR, -1, cv2.LINE_AA)
    small = np.asarray(cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA))
    texts = [
        Text("angle of the front wheels so far", 10 * scale, 16 * scale, round(12 * scale), INK, bold=True),
        Text(f"{math.degrees(limit):.0f}° left", left - gap, top + 5 * scale, small_size, FAINT, anchor="rm"),
        Text(
            f"{math.degrees(limit):.0f}° right", left - gap, height - bottom - 5 * scale, small_size, FAINT, anchor="rm"
        ),
        Text("0°", left - gap, middle, small_size, FAINT, anchor="rm"),
    ]
    apart = next((n for n in (2, 4, 10, 20, 30, 60) if n * across > 36 * scale), 120)  # so that no two labels touch
    labels = range(0, int(seconds) + 1, apart)
    texts += [Text(f"{s} s", left + s * across, height - 7 * scale, small_size, FAINT, anchor="ms") for s in labels]
    return write(small, texts)


# ------------------------------------------------------------------------------------------------- an episode
@dataclass(frozen=True)
class Captions:
    """Text around the pictures of a film; callers that know the scenario fill it in.

    Args:
        title: one line on top, such as the scenario and its rule.
        subtitle: the line below the title and notes, such as the driver's name.
        notes: text below the title, such as a long rule and its parts; each note starts on a new line.
        propositions: world -> name -> value in its row 0.
        wanted: world -> the decision that the rule asks for in its row 0.
    """

    title: str = ""
    subtitle: str = ""
    propositions: Callable[[World], Mapping[str, bool]] = lambda world: {}
    wanted: Callable[[World], str] = lambda world: ""
    notes: tuple[str, ...] = ()


def drive_film(
    driver: Driver,
    backend: Backend,
    episode: Episode,
    captions: Captions | None = None,
    view: Camera = FILM_CAMERA,
    hold: float = HOLD,
) -> Iterator[np.ndarray]:
    """Roll out one episode and yield a picture per tick: the road, the learner's camera view, the map, the steering.

    Args:
        driver: gets its input from the backend as in any rollout; filming does not affect it.
        backend: of one world; reset here.
        view: the camera of the large picture, 640 x 360 by default.
        hold: how long the last picture is shown [s].

    Raises:
        ValueError: if the backend does not have exactly one world.
    """
    if backend.worlds != 1:
        raise ValueError(f"a film shows one world; this backend has {backend.worlds}")
    captions = captions or Captions()
    backend.reset([episode])
    memory, slots = driver.begin(1), np.zeros(1, int)
    world, tick = backend.world, backend.simulation.tick
    scale = max(1.0, min(view.width / FILM_CAMERA.width, view.height / FILM_CAMERA.height))
    column = round(COLUMN * scale)
    window = viewport_of(backend.maps.arrays, world, 0, episode, (column, column))
    base: np.ndarray | None = None
    steers: list[float] = []
    trail: list[tuple[float, float]] = []
    while True:
        wet = float(world.weather[0, WEATHER_INDEX["wetness"]]) / 100
        road_map = backend.maps.maps[int(world.map[0])]
        base = background(road_map, window, wet) if base is None else base
        ahead = float(world.wheelbase[0, 0]) / 2
        trail.append((float(world.x[0, 0] + ahead * np.cos(world.yaw[0, 0])),
                      float(world.y[0, 0] + ahead * np.sin(world.yaw[0, 0]))))  # fmt: skip
        steers.append(float(world.steer[0, 0]))
        above = top_down(road_map, window, boxes_of(world, 0), [Line(np.array(trail))], base=base,
                         lamps=lamps_of(backend.maps.arrays, world, 0))  # fmt: skip
        wanted = captions.wanted(world)
        taken = "" if world.shown_decision[0] == UNDECIDED else DECISIONS[int(world.shown_decision[0])]
        road = hud(
            render(backend.maps.arrays, world, view)[0], float(world.speed[0, 0]), steers[-1],
            captions.propositions(world), wanted, taken,
        )  # fmt: skip
        outcome = int(world.outcome[0])
        seen = backend.observe().camera[0]
        end = ending(OUTCOMES[outcome], wanted, taken)
        page = _compose(road, seen, above, np.array(steers), tick, captions, end, scale)
        yield page
        if outcome != OUTCOME["running"]:
            break
        action, memory = driver.act(observe_for(backend, driver.needs, slots), memory)
        backend.step(action.spread(slots, 1))
    for _ in range(round(hold / tick)):
        yield page


def ending(outcome: str, wanted: str = "", taken: str = "") -> tuple[str, Colour]:
    """The status of an episode as text and colour: an arrival by another exit than the rule's is a failure.

    Args:
        outcome: out of OUTCOMES; wanted, taken: decisions, "" if unknown or not carried out.

    Raises:
        ValueError: for an unknown outcome.
    """
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome is {outcome!r}; known are {', '.join(OUTCOMES)}")
    if outcome == "running":
        return "driving", FAINT
    if outcome != "arrived":
        failed = {"collision": "ended: collision", "off_road": "ended: left the road", "timeout": "ended: out of time",
                  "deviated": "ended: left its route"}  # fmt: skip
        return failed[outcome], NO
    if not (wanted and taken):
        return "arrived", YES
    return ("arrived, as the rule asks", YES) if wanted == taken else ("arrived, not as the rule asks", NO)


def fitted(words: str, x: float, y: float, size: int, room: float, colour: Colour, bold: bool = False) -> Text:
    """Fit a line of text into `room` [px]: first a smaller size (at least 11 px), then an ellipsis."""
    while size > 11 and text_width(words, size, bold) > room:
        size -= 1
    if text_width(words, size, bold) > room:
        while len(words) > 1 and text_width(words + "…", size, bold) > room:
            words = words[:-1]
        words += "…"
    return Text(words, x, y, size, colour, bold)


def wrapped(words: str, size: int, room: float) -> list[str]:
    """Wrap a sentence into lines of at most `room` [px]; words are not broken."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= room:  # includes the indent of later lines
            lines[-1] = longer
        else:
            lines.append(word if not lines else f"    {word}")
    return lines


def _compose(
    road: np.ndarray, seen: np.ndarray, above: np.ndarray, steers: np.ndarray, tick: float, captions: Captions,
    end: tuple[str, Colour], scale: float,
) -> np.ndarray:  # fmt: skip
    """Compose the parts on one page, the right column as wide as the map; text and margins scale with `scale`."""
    edge, head, label, title, small, low = (round(size * scale) for size in (12, 62, 22, 20, 13, 12))
    column, first, step = above.shape[1], 30 * scale, 19 * scale  # the lines of the head
    lines = [line for note in captions.notes for line in wrapped(note, small, road.shape[1] + column)]
    second = 51 * scale + step * len(lines)
    head += round(step * len(lines))
    large = cv2.resize(seen, (column, round(seen.shape[0] * column / seen.shape[1])), interpolation=cv2.INTER_NEAREST)
    right = road.shape[1] + 2 * edge
    height = head + max(road.shape[0] + edge + round(120 * scale), large.shape[0] + above.shape[0] + 2 * label) + edge
    height += height % 2
    width = right + column + edge
    page = np.full((height, width + width % 2, 3), PAPER, np.uint8)
    page[head : head + road.shape[0], edge : edge + road.shape[1]] = road
    top = head + road.shape[0] + edge
    tall = min(height - edge - top, round(200 * scale))
    page[top : top + tall, edge : edge + road.shape[1]] = steering_trace(steers, tick, road.shape[1], tall, scale=scale)
    page[head + label : head + label + large.shape[0], right : right + column] = large
    below = head + label + large.shape[0]
    page[below + label : below + label + above.shape[0], right : right + above.shape[1]] = above
    clock = f"{(len(steers) - 1) * tick:.1f} s"
    words, colour = end
    beside = f"all that a learner sees: {seen.shape[1]} × {seen.shape[0]} pixels"
    room = width - 3 * edge
    return write(page, [
        fitted(captions.title, edge, first, title, room - text_width(clock, title), INK, bold=True),
        *(Text(line, edge, 51 * scale + step * i, small, INK) for i, line in enumerate(lines)),
        fitted(captions.subtitle, edge, second, small, room - text_width(words, small, True), FAINT),
        Text(clock, width - edge, first, title, FAINT, anchor="rs"),
        Text(words, width - edge, second, small, colour, bold=True, anchor="rs"),
        Text(beside, right, head + 15 * scale, low, FAINT),
        Text("from above: our car has a white rim", right, below + 15 * scale, low, FAINT),
    ])  # fmt: skip
