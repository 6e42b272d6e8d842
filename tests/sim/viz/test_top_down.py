"""Pictures for people: windows, views from above, strips, films."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import av
import numpy as np
import pytest

from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Weather
from sim.datatypes.road_map import Ground, RoadMap
from sim.road.graph.traffic_lights import GREEN, OFF, RED
from sim.viz.markers import EGO_COLOUR, Box, Lamp, boxes_of
from sim.viz.top_down import Line, Text, background, film_strip, text_width, top_down, viewport_of, write
from sim.viz.video import Captions, drive_film, ending, fitted, hud, steering_trace, wrapped, write_film
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld

GREY = np.full((90, 160, 3), 120, np.uint8)


class Straight:
    """Drives straight on until it leaves the road."""

    needs = "camera"

    def begin(self, worlds: int) -> np.ndarray:
        return np.zeros((worlds, 0), np.float32)

    def act(self, seen, memory):  # type: ignore[no-untyped-def]
        zeros = np.zeros(len(seen.speed), np.float32)
        return Action(zeros, zeros + 1), memory


@pytest.fixture(scope="module")
def backend() -> EmbeddedWorld:
    world = EmbeddedWorld(1)
    parked = ActorSpec("parked", arm="west", lane="outbound", distance=8.0, side=3.6, colour=0x2040C0)
    world.reset([Episode("draw", 5, MapSpec(parameters=(("arm", 40.0),)), distance=12.0, actors=(parked,))])
    return world


def plain_map() -> RoadMap:
    """Ground of 40 x 20 m at 0.5 m: red where x < 10, green elsewhere, and blue in the row of the smallest y."""
    texels = np.zeros((40, 80, 4), np.uint8)
    texels[:, :20, 0] = 200
    texels[:, 20:, 1] = 200
    texels[:4] = (0, 0, 200, 0)
    ground = Ground(np.zeros(2, np.float32), 0.5, (texels,), np.zeros((40, 80), np.uint8), 0.5)
    return RoadMap("plain", "0", ground, (), np.zeros((0, 8)), np.zeros(512, np.float32), "")


@pytest.mark.parametrize("up", [math.pi / 2, 0.0, 2.1])
def test_a_window_puts_its_centre_in_the_middle_and_its_heading_up(up: float) -> None:
    window = Viewport((3.0, -2.0), 20.0, 100, 80, up)
    ahead = np.array([3.0 + math.cos(up), -2.0 + math.sin(up)])
    left = np.array([3.0 - math.sin(up), -2.0 + math.cos(up)])
    np.testing.assert_allclose(
        window.pixels(np.array([[3.0, -2.0], ahead, left])), [[50, 40], [50, 35], [45, 40]], atol=1e-9
    )


def test_ground_lies_where_the_window_says() -> None:
    picture = top_down(plain_map(), Viewport((20.0, 10.0), 36.0, 144, 72))
    assert picture.shape == (72, 144, 3)
    west, east, south = picture[20, 10], picture[20, 130], picture[70, 80]
    assert west.argmax() == 0 and east.argmax() == 1 and south.argmax() == 2


def test_ground_turns_with_the_window() -> None:
    picture = top_down(plain_map(), Viewport((20.0, 10.0), 18.0, 72, 144, up=0.0))  # east is up, north is to the left
    assert picture[10, 20].argmax() == 1 and picture[135, 20].argmax() == 0 and picture[70, 70].argmax() == 2


def test_a_car_is_drawn_in_its_colour_where_it_stands() -> None:
    window = Viewport((20.0, 10.0), 30.0, 240, 160)
    picture = top_down(plain_map(), window, [Box(25.0, 12.0, 0.7, 4.4, 1.8, EGO_COLOUR, ego=True)])
    column, row = window.pixels(np.array([[25.0, 12.0]]))[0].astype(int)
    rear = window.pixels(np.array([[25.0, 12.0]]) - 0.9 * np.array([[math.cos(0.7), math.sin(0.7)]]))[0].astype(int)
    np.testing.assert_allclose(picture[rear[1], rear[0]], EGO_COLOUR, atol=4)
    assert not np.allclose(picture[row - 40, column], EGO_COLOUR, atol=40)


@pytest.mark.parametrize("kind", ["walker", "cone", "bicycle"])
def test_everybody_on_the_road_has_a_mark_where_they_are(kind: str) -> None:
    window, colour = Viewport((20.0, 10.0), 30.0, 240, 160), (30, 60, 220)
    bare = top_down(plain_map(), window)
    marked = top_down(plain_map(), window, [Box(25.0, 12.0, 0.7, 1.0, 0.6, colour, kind=kind)])
    rows, columns = np.nonzero((bare != marked).any(-1))
    column, row = window.pixels(np.array([[25.0, 12.0]]))[0]
    assert abs(np.mean(columns) - column) < 3 and abs(np.mean(rows) - row) < 3
    assert 12 < len(rows) < 300
    car = top_down(plain_map(), window, [Box(25.0, 12.0, 0.7, 1.0, 0.6, colour)])
    assert (car != marked).any(), "a mark of its own"


def test_a_light_from_above_has_the_colour_that_it_shows_on_the_side_that_it_faces() -> None:
    window = Viewport((20.0, 10.0), 30.0, 240, 160)
    red, green, off = (top_down(plain_map(), window, lamps=[Lamp(25.0, 12.0, 0.0, s)]) for s in (RED, GREEN, OFF))
    column, row = window.pixels(np.array([[25.7, 12.0]]))[0].astype(int)
    assert red[row, column, 0] > 220 > 120 > red[row, column, 1]
    assert green[row, column, 1] > 220 > 120 > green[row, column, 0]
    assert (red[row, : column - 8] == off[row, : column - 8]).all() and (off[row, column] != green[row, column]).any()


def test_a_line_is_drawn_along_its_points_and_named_in_the_legend() -> None:
    window = Viewport((20.0, 10.0), 30.0, 240, 160)
    points = np.array([[10.0, 6.0], [30.0, 6.0]])
    bare = top_down(plain_map(), window, lines=[Line(points, (10, 20, 230))])
    named = top_down(plain_map(), window, lines=[Line(points, (10, 20, 230), "taken")])
    column, row = window.pixels(np.array([[20.0, 6.0]]))[0].astype(int)
    np.testing.assert_allclose(bare[row, column], (10, 20, 230), atol=12)
    assert (bare[:30, :60] != named[:30, :60]).any() and (bare[60:] == named[60:]).all()


def test_a_kept_background_gives_the_same_picture(backend: EmbeddedWorld) -> None:
    window = viewport_of(backend.maps.arrays, backend.world, 0, backend.episodes[0], (120, 100))
    road_map, boxes = backend.maps.maps[0], boxes_of(backend.world, 0)
    once = top_down(road_map, window, boxes, wet=0.5)
    np.testing.assert_array_equal(once, top_down(road_map, window, boxes, base=background(road_map, window, 0.5)))
    with pytest.raises(ValueError, match="base is"):
        top_down(road_map, window, base=np.zeros((3, 3, 3), np.uint8))


def test_rain_darkens_the_road_from_above(backend: EmbeddedWorld) -> None:
    window = viewport_of(backend.maps.arrays, backend.world, 0, backend.episodes[0])
    road_map = backend.maps.maps[0]
    assert top_down(road_map, window, wet=1.0).mean() < top_down(road_map, window).mean() - 5


def test_the_window_holds_ego_and_the_ends_of_its_ways_with_its_heading_up(backend: EmbeddedWorld) -> None:
    window = viewport_of(backend.maps.arrays, backend.world, 0, backend.episodes[0], (200, 150))
    ego = boxes_of(backend.world, 0)[-1]
    bank = backend.maps.arrays
    ends = []
    for q in backend.world.route[0]:
        if q >= 0:
            end = int((bank.junction_out[q] + backend.episodes[0].finish) / 0.5)
            ends.append(bank.points[bank.path_start[q] + end, :2])
    pixels = window.pixels(np.array([[ego.x, ego.y], *ends]))
    assert (pixels > 0).all() and (pixels < [200, 150]).all()
    nose = window.pixels(np.array([[ego.x + math.cos(ego.yaw), ego.y + math.sin(ego.yaw)]]))[0]
    np.testing.assert_allclose(nose - pixels[0], [0, -window.scale], atol=1e-3)


def test_boxes_are_centred_on_vehicles_not_on_axles_and_absent_actors_are_left_out(backend: EmbeddedWorld) -> None:
    boxes = boxes_of(backend.world, 0)
    assert [b.ego for b in boxes] == [False, True] and boxes[0].colour == (0x20, 0x40, 0xC0)
    world, ego = backend.world, boxes[-1]
    ahead = (ego.x - world.x[0, 0]) * math.cos(ego.yaw) + (ego.y - world.y[0, 0]) * math.sin(ego.yaw)
    assert ahead == pytest.approx(4.4 / 2 - 0.85, abs=1e-4)


def test_an_impossible_window_is_refused() -> None:
    with pytest.raises(ValueError, match="spans -1"):
        Viewport((0, 0), -1.0)


def test_a_strip_holds_every_frame_in_its_order() -> None:
    frames = np.stack([np.full((8, 10, 3), v, np.uint8) for v in (10, 90, 170)])
    strip = film_strip(frames, gap=4, scale=2)
    assert strip.shape == (16 + 8, 3 * 24 + 4, 3)
    for i, value in enumerate((10, 90, 170)):
        assert (strip[4:20, 4 + 24 * i : 24 + 24 * i] == value).all()
    captioned = film_strip(frames, ["a", "b", "c"], gap=4, scale=2)
    assert captioned.shape[0] > strip.shape[0] and (captioned[20:] < 100).any()


def test_a_strip_without_frames_or_with_other_captions_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        film_strip(np.zeros((0, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="1 captions for 2 frames"):
        film_strip(np.zeros((2, 8, 8, 3), np.uint8), ["only one"])


def test_lettering_leaves_the_picture_it_was_given_alone() -> None:
    written = write(GREY, [Text("raining", 20, 40, 20)])
    assert (GREY == 120).all() and (written != 120).any()


def test_the_display_shows_what_changes() -> None:
    frame = np.full((360, 640, 3), 120, np.uint8)
    one = hud(frame, 5.0, 0.2, {"raining": True}, "left")
    assert (frame == 120).all()
    for other in (
        hud(frame, 9.0, 0.2, {"raining": True}, "left"),
        hud(frame, 5.0, -0.2, {"raining": True}, "left"),
        hud(frame, 5.0, 0.2, {"raining": False}, "left"),
        hud(frame, 5.0, 0.2, {"raining": True}, "left", "right"),
    ):
        assert (one != other).any()


@pytest.mark.parametrize("size", [(320, 180), (640, 360), (1280, 720)])
def test_nothing_on_a_frame_lies_over_anything_else(size: tuple[int, int]) -> None:
    frame = np.full((size[1], size[0], 3), 120, np.uint8)
    facts = {f"proposition {i}": True for i in range(6)}

    def touched(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.asarray((one != other).any(2))

    bare = hud(frame, 5.0, 0.2)
    wheel = touched(frame, bare)
    decision = touched(bare, hud(frame, 5.0, 0.2, None, "straight", "straight"))
    chips = touched(bare, hud(frame, 5.0, 0.2, facts))
    assert wheel.any() and decision.any() and chips.any()
    assert not (wheel & decision).any() and not (wheel & chips).any() and not (decision & chips).any()
    assert not decision[:, 0].any() and not chips[:, -1].any()


def test_only_who_arrives_by_the_rules_way_is_said_to_have_obeyed() -> None:
    good = ending("arrived", "left", "left")
    bad = ending("arrived", "left", "right")
    assert (good[0], bad[0]) == ("arrived, as the rule asks", "arrived, not as the rule asks") and good[1] != bad[1]
    assert ending("arrived", "", "left")[0] == "arrived" and "collision" in ending("collision", "left", "left")[0]
    with pytest.raises(ValueError, match="known are running"):
        ending("lost")


@pytest.mark.parametrize("words", ["rain-turn", "a rule that is long " * 3, "a rule without end " * 20])
def test_a_title_keeps_to_its_room(words: str) -> None:
    line = fitted(words, 0, 0, 20, 500.0, (0, 0, 0), bold=True)
    assert text_width(line.words, line.size, line.bold) <= 500 and line.size >= 11
    assert line.words == words or (line.words.endswith("…") and line.size == 11), "smaller letters come first"


def test_the_trace_rises_when_the_wheels_turn_left() -> None:
    left, right = (steering_trace(np.full(40, s), 0.1, 400, 120) for s in (0.3, -0.3))

    def height(page: np.ndarray) -> float:
        return float(np.nonzero(np.abs(page.astype(int) - EGO_COLOUR).sum(2) < 40)[0].mean())

    assert height(left) < height(right) - 20


def test_a_film_comes_back_with_its_frames(tmp_path: Path) -> None:
    frames = [np.full((35, 51, 3), v, np.uint8) for v in (20, 120, 220)]
    assert write_film(tmp_path / "film.mp4", iter(frames), fps=10) == 3
    with av.open(str(tmp_path / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        back = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    assert [b.shape for b in back] == [(36, 52, 3)] * 3
    assert [float(b.mean()) for b in back] == pytest.approx([20, 120, 220], abs=6)  # lossy: 8-bit YUV
    data = (tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index must come first, so that the film plays while it loads"
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def test_films_that_cannot_be_are_refused_and_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        write_film(tmp_path / "film.mp4", [])
    with pytest.raises(ValueError, match=r"ends in \.mp4"):
        write_film(tmp_path / "film.avi", [GREY])
    with pytest.raises(OSError, match="there is no folder"):
        write_film(tmp_path / "nowhere" / "film.mp4", [GREY])
    with pytest.raises(ValueError, match="frame 1 of film"):
        write_film(tmp_path / "film.mp4", [GREY, GREY[:50]])
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(OSError, match="cannot be written"):
        write_film(tmp_path / "taken.mp4", [GREY])
    assert [p.name for p in tmp_path.iterdir()] == ["taken.mp4"]


def test_a_drive_is_filmed_from_start_to_end_without_being_touched(backend: EmbeddedWorld) -> None:
    episode = Episode("film", 5, MapSpec(parameters=(("arm", 40.0),)), distance=6.0, weather=Weather(wetness=80.0))
    captions = Captions("rain-turn", "nobody drives", lambda world: {"raining": False}, lambda world: "right")
    film = drive_film(Straight(), backend, episode, captions, Camera(width=160, height=90), hold=0.3)
    shapes, first, count, last = set(), None, 0, None
    for first_or_later in film:
        first = first_or_later if first is None else first
        last, count = first_or_later, count + 1
        shapes.add(last.shape)
    assert len(shapes) == 1 and all(side % 2 == 0 for side in next(iter(shapes))[:2])
    assert count == int(backend.world.tick[0]) + 1 + 3  # the start, a picture per tick, and the hold
    assert first is not None and last is not None and (first != last).any()

    alone = EmbeddedWorld(1)
    alone.reset([episode])
    for _ in range(int(backend.world.tick[0])):
        alone.step(Straight().act(alone.observe(), None)[0])
    for name, filmed in backend.world._asdict().items():
        np.testing.assert_array_equal(filmed, getattr(alone.world, name), err_msg=name)


def test_notes_stand_on_lines_of_their_own_and_make_the_picture_taller(backend: EmbeddedWorld) -> None:
    episode = Episode("film", 5, MapSpec(parameters=(("arm", 40.0),)), distance=6.0)
    view = Camera(width=160, height=90)
    notes: tuple[tuple[str, ...], ...] = ((), ("the rule: left",), ("raining and " * 30 + "night", "where a: b"))
    films = [drive_film(Straight(), backend, episode, Captions("a", notes=n), view) for n in notes]
    heights = [next(film).shape[0] for film in films]
    assert heights[0] < heights[1] < heights[2]
    lines = wrapped("one two three", 13, 60.0)
    assert len(lines) > 1 and " ".join(lines).split() == ["one", "two", "three"]


def test_a_film_of_two_worlds_is_refused() -> None:
    with pytest.raises(ValueError, match="this backend has 2"):
        list(itertools.islice(drive_film(Straight(), EmbeddedWorld(2), Episode("film", 1)), 1))
