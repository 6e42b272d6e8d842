"""What clients draw into the world: how long it is there, where pictures have it, and films of what they recorded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import carla
import numpy as np
import pytest

from dagger import cli
from sim.carla.server.debug_drawing import (
    Drawing,
    DrawingCamera,
    drawing_of,
    in_view,
    letter,
    paint,
    paint_plan,
    visible,
)
from sim.carla.server.recording.recorder import lines_of
from sim.carla.server.recording.replay import Replay, actors_of, followed
from sim.carla.server.recording.video import Shot, film
from sim.carla.server.rpc import Refused
from sim.datatypes.vocabulary import WEATHER_INDEX
from sim.viz.viewport import Viewport
from tests.support.carla_actors import DT, FAR, at, car, synchronous

GREEN = [0, 255, 0]
A, B, FLAT = [1.0, 2.0, 3.0], [4.0, 6.0, 3.0], [0.0, 0.0, 0.0]
SHAPES: dict[str, list[Any]] = {  # as CARLA's client sends them
    "point": [0, [A, 0.1]], "line": [1, [A, B, 0.1]], "arrow": [2, [[A, B, 0.1], 0.5]],
    "box": [3, [[A, [1.0, 0.5, 0.25], FLAT, 0], [0.0, 90.0, 0.0], 0.1]], "string": [4, [A, "Grüße", True]],
    "HUD point": [5, [A, 0.1]], "HUD line": [6, [A, B, 0.1]], "HUD arrow": [7, [[A, B, 0.1], 0.5]],
    "HUD box": [8, [[A, [1.0, 0.5, 0.25], FLAT, 0], [0.0, 90.0, 0.0], 0.1]],
}  # fmt: skip


def drawn(shape: list[Any], life: float = 0.0, now: float = 0.0) -> Drawing:
    """A green drawing."""
    return drawing_of([shape, GREEN, life, True], now, DT)


# ------------------------------------------------------------------------------------------------------- shapes
def test_shapes_are_the_strokes_that_they_are_made_of() -> None:
    assert (drawn(SHAPES["point"]).strokes == [[A, A]]).all()
    assert (drawn(SHAPES["line"]).strokes == [[A, B]]).all()
    arrow = drawn(SHAPES["arrow"]).strokes
    assert (arrow[0] == [A, B]).all() and (arrow[1:, 0] == B).all() and len(arrow) == 5
    back = (arrow[1:, 1] - B) @ ((np.array(A) - B) / 5.0)  # its barbs reach back along the shaft
    assert back == pytest.approx(0.5)
    box = drawn(SHAPES["box"]).strokes
    assert len(box) == 12
    half = np.abs(box - A).reshape(-1, 3).max(0)
    assert half == pytest.approx([0.5, 1.0, 0.25])  # a quarter turn lays its length across
    lengths = np.linalg.norm(box[:, 1] - box[:, 0], axis=1)
    assert sorted(lengths.round(6)) == [0.5] * 4 + [1.0] * 4 + [2.0] * 4
    words = drawn(SHAPES["string"])
    assert (words.words, words.shadow, words.window) == ("Grüße", True, True)
    assert [name for name, shape in SHAPES.items() if drawn(shape).window] == [
        "string", "HUD point", "HUD line", "HUD arrow", "HUD box",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [None, [], [SHAPES["line"], GREEN, 0.0], [[9, [A, 0.1]], GREEN, 0.0, True], [[1, [A, 0.1]], GREEN, 0.0, True],
     [[1, [A, [1.0, 2.0], 0.1]], GREEN, 0.0, True], [[0, [A, float("nan")]], GREEN, 0.0, True],
     [[0, [[1e9, 0.0, 0.0], 0.1]], GREEN, 0.0, True], [SHAPES["point"], [0, 255], 0.0, True],
     [SHAPES["point"], GREEN, "long", True], [[4, [A, 5, True]], GREEN, 0.0, True],
     [[True, [A, 0.1]], GREEN, 0.0, True], [[3, [[A, A], FLAT, 0.1]], GREEN, 0.0, True],
     [[2, [[], 0.1]], GREEN, 0.0, True]],
)  # fmt: skip
def test_what_is_no_shape_is_refused(told: Any) -> None:
    with pytest.raises(Refused, match=r"is no|reaches beyond"):
        drawing_of(told, 0.0, DT)


def test_a_drawing_is_there_for_its_time_for_ever_or_for_a_tick() -> None:
    one, some, always = (drawn(SHAPES["line"], life, now=1.0) for life in (-1.0, 2.0, 0.0))
    there = {now: visible([one, some, always], now) for now in (1.05, 1.1, 3.0, 3.05, 1e6)}
    assert there == {1.05: [one, some, always], 1.1: [some, always], 3.0: [some, always], 3.05: [always], 1e6: [always]}


# ----------------------------------------------------------------------------------------------------- pictures
EYE = DrawingCamera.of([[10.0, -4.0, 2.0], [0.0, 90.0, 0.0]], 64, 48, 90.0)  # looks along y, x is to its left
OPEN = np.full((48, 64), 1000.0, np.float32)


def green(picture: np.ndarray) -> np.ndarray:
    """(n, 2) x and y of the middles of the green pixels."""
    return np.argwhere((picture[..., 1] > 128) & (picture[..., 0] < 100) & (picture[..., 2] < 100))[:, ::-1] + 0.5


def painted(shape: list[Any], depth: np.ndarray = OPEN, eye: DrawingCamera = EYE) -> np.ndarray:
    """The green pixels of a picture of one drawing."""
    picture = np.zeros((48, 64, 3), np.uint8)
    paint(picture, [drawn(shape)], eye, depth)
    return green(picture)


def test_a_point_is_painted_where_a_pinhole_has_it() -> None:
    found = painted([0, [[12.0, 6.0, 3.0], 0.9]])  # 10 m ahead, 2 m to the left, 1 m above the eye
    assert found.mean(0) == pytest.approx([32 - 6.4, 24 - 3.2], abs=0.3)
    assert np.ptp(found, axis=0) == pytest.approx(0.9 * 32 / 10, abs=1.5)
    assert not len(painted([0, [[10.0, -5.0, 2.0], 0.9]]))  # behind it


def test_a_rolled_eye_turns_its_picture() -> None:
    tilted = DrawingCamera.of([[10.0, -4.0, 2.0], [0.0, 90.0, 30.0]], 64, 48, 90.0)
    found = painted(
        [0, [[10.0, 6.0, 7.0], 0.9]], eye=tilted
    )  # straight above the axis: to the left, as the eye leans right
    assert found.mean(0) == pytest.approx([32 - 16 * math.sin(math.pi / 6), 24 - 16 * math.cos(math.pi / 6)], abs=0.7)


def test_a_line_from_behind_the_eye_is_painted_as_far_as_it_is_ahead() -> None:
    found = painted([1, [[10.0, -20.0, 1.0], [10.0, 200.0, 1.0], 0.02]])
    assert len(found) and (np.abs(found[:, 0] - 32) <= 1).all() and (found[:, 1] >= 23).all()
    assert found[:, 1].max() == 47.5  # and down to the edge


def test_what_stands_before_a_stroke_hides_that_part_of_it() -> None:
    wall = OPEN.copy()
    wall[:, 32:] = 5.0
    line = [1, [[14.0, 6.0, 2.0], [6.0, 6.0, 2.0], 0.2]]
    assert np.ptp(painted(line)[:, 0]) > 22
    assert painted(line, wall)[:, 0].max() == pytest.approx(32, abs=3)


def test_words_stand_where_they_are_and_nowhere_behind_the_eye() -> None:
    black = np.zeros((48, 64, 3), np.uint8)
    ahead, behind = (drawn([4, [[10.0, y, 2.0], "word", False]]) for y in (6.0, -10.0))
    found = green(letter(black, [ahead], in_view(EYE)))
    assert len(found) > 20 and (found[:, 0] >= 31).all() and (found[:, 1] <= 25).all()
    assert not letter(black, [behind], in_view(EYE)).any()


def test_from_above_a_stroke_lies_where_the_map_has_it() -> None:
    picture = np.zeros((50, 50, 3), np.uint8)
    paint_plan(picture, [drawn([1, [[0.0, 10.0, 0.0], [10.0, 10.0, 5.0], 0.5]])], Viewport((0.0, 0.0), 50.0, 50, 50))
    found = green(picture)  # CARLA's y is to the south
    assert found.min(0) == pytest.approx([25, 35], abs=1.5) and found.max(0) == pytest.approx([35, 35], abs=1.5)


# ------------------------------------------------------------------------------------------------------- films
@pytest.fixture
def recording(alone: Any) -> tuple[Path, list[Any]]:
    """A drive of 20 ticks beside a parked car, with a line at the tenth and words from the beginning; where it was."""
    world = synchronous(alone)
    path = Path(alone.start_recorder("test_drawings.log"))
    first, _ = car(world, at(FAR, 0.0), role_name="hero"), car(world, at(FAR + 30.0, 5.0))
    world.set_weather(carla.WeatherParameters(wetness=40.0))
    world.debug.draw_string(carla.Location(FAR + 12.0, 0.0, 2.0), "goal", False, carla.Color(0, 255, 0), 0.0)
    first.apply_control(carla.VehicleControl(throttle=0.6))
    was = []
    for i in range(20):
        if i == 10:
            ends = carla.Location(FAR + 5.0, -3.0, 0.5), carla.Location(FAR + 25.0, -3.0, 0.5)
            world.debug.draw_line(*ends, 0.3, carla.Color(255, 0, 255), DT)
        world.tick()
        was.append(first.get_transform())
    alone.stop_recorder()
    world.tick()  # what nobody waits for is done by then
    return path, was


def magenta(picture: np.ndarray) -> int:
    """How many pixels are of the line's colour."""
    return int(((picture[..., 0] > 200) & (picture[..., 2] > 200) & (picture[..., 1] < 90)).sum())


def test_a_recording_is_a_world_again(recording: tuple[Path, list[Any]]) -> None:
    path, was = recording
    cast = actors_of(lines_of(path))
    hero = followed(cast)
    assert hero is not None and (hero.type, hero.role) == ("vehicle.tesla.model3", "hero")
    assert followed(cast, str(cast[1].id)) == cast[1] and followed(cast, "none") is None and followed([]) is None
    with pytest.raises(ValueError, match=f"no actor is 'bus'; known are {hero.id} vehicle.tesla.model3 hero"):
        followed(cast, "bus")
    places, shown = [], []
    for moment in Replay(lines_of(path)):
        shown.append([d.words or "line" for d in moment.drawings])
        if len(moment.rows) == 2:
            at_, yaw, _ = moment.fleet.places(np.array([moment.rows[hero.id]]))
            places.append([*at_[0, :2], *yaw])
    there = np.array([[t.location.x, t.location.y, t.rotation.yaw] for t in was])
    assert np.abs(np.array(places[-20:]) - there).max() < 2e-3  # metres and degrees are kept to three decimals
    assert moment.fleet.world.weather[0, WEATHER_INDEX["wetness"]] == 40.0 and moment.road_map.name == "grid_town"
    assert shown[-20:] == [["goal"]] * 10 + [["goal", "line"]] + [["goal"]] * 9


def test_a_film_shows_who_drove_and_what_was_drawn(recording: tuple[Path, list[Any]]) -> None:
    path, _ = recording
    frames = list(film(Replay(lines_of(path)), Shot("film", followed(actors_of(lines_of(path))))))[-20:]
    assert len({frame.shape for frame in frames}) == 1
    road, above = frames[10][:, :652], frames[10][:, 652:]
    assert magenta(road) > 100 and magenta(above) > 50
    assert [magenta(frame) > 0 for frame in frames] == [False] * 10 + [True] + [False] * 9
    assert all(((f[..., 1] > 200) & (f[..., 0] < 90) & (f[..., 2] < 90)).sum() > 20 for f in frames)  # the word
    whole = list(film(Replay(lines_of(path)), Shot("film", None)))[-20:]
    assert [magenta(frame) > 0 for frame in whole] == [False] * 20, "the line lies beyond the map that is shown"


def test_the_command_films_a_recording_by_name_and_by_path(
    recording: tuple[Path, list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import av

    monkeypatch.chdir(tmp_path)
    path, _ = recording
    assert cli.main(["film", "recording", "test_drawings.log", "--size", "320x180"]) == 0
    assert "test_drawings.mp4  (2" in capsys.readouterr().out
    with av.open("test_drawings.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) > 20 and sum(magenta(frame) > 30 for frame in frames) == 1
    assert cli.main(["film", "recording", str(path), "--follow", "none", "--out", "f/all.mp4"]) == 0
    assert Path("f/all.mp4").stat().st_size > 1000
    assert cli.main(["film", "recording"]) == 0 and "test_drawings.log" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["never.log"], "no recording 'never.log'; known are"), (["text.log"], "line 1 of text.log is 'words"),
     (["old.log"], "no recording of `dagger serve`"), (["text.log", "--out", "film.avi"], "ends in .mp4"),
     (["text.log", "--span", "1"], "--span was given 1"), (["empty.log"], "no recording of")],
)  # fmt: skip
def test_what_cannot_be_filmed_is_told_in_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.log").write_text("words\n")
    Path("old.log").write_text('{"map":"grid_town","tick":0.05}\n')
    Path("empty.log").touch()
    assert cli.main(["film", "recording", *arguments]) == cli.BAD
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
