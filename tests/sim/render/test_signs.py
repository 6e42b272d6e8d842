"""Claims about signs: they stand where geometry says, can be read, wear, shade like other things, and cost no memory.

What is read is measured: a board's pixels must go best with its own text among others of the same length.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numba
import numpy as np
import pytest

from benchmarks import signs as sheet
from sim.actors.signs import LINES, PANELS, POST, SIGN, SIGN_KINDS, SignDesign, pack_sign
from sim.datatypes.action import Action
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode, SignSpec
from sim.datatypes.simulation import Simulation
from sim.datatypes.vocabulary import OUTCOME
from sim.render import signs as boards
from sim.render.assets.sign_art import BOARD_COLOURS, FONTS, check_text, design_of, paint_sign, weathered, wrapped
from sim.render.assets.texel import HOLE
from sim.render.lighting import LIGHT_SIZE
from sim.render.rasterizer import new_scratch
from sim.render.rgb import render
from sim.render.scene import scene_of
from sim.render.shading import DEPTHS, ColourTarget
from sim.render.signs import ATLAS, SignAtlas, signs_in
from sim.world.embedded import EmbeddedWorld
from tests.support.worlds import SMALL, episode, row_bytes, rows, started

BOARD = sheet.BOARD


def with_sign(sign: SignSpec, away: float = 15.0, **changes: object) -> Episode:
    """Ego stands in its lane, its camera `away` before the sign."""
    distance = sign.distance + away + sheet.FRONT.forward
    return replace(episode(map=sheet.MAP, distance=distance, speed=0.0, signs=(sign,)), **changes)


def seen(*episodes: Episode, camera: Camera = sheet.FRONT) -> np.ndarray:
    return started(episodes, camera).observe().camera.astype(int)


# -------------------------------------------------------------------------------------------------------- reading
@pytest.mark.parametrize("weather", ["day", "night"])
@pytest.mark.parametrize("font", FONTS)
def test_a_worn_board_can_be_read_at_fifteen_metres(font: str, weather: str):
    for seed, text in enumerate(sheet.TEXTS):
        assert len(text) == len(BOARD.text)
        for colour in ("orange", "green"):
            sign = replace(BOARD, text=text, font=font, colour=colour, weathering=0.5)
            picture = sheet.view([sign], 15.0, sheet.WEATHERS[weather], seed=seed)
            scores = sheet.told(picture, sign, 15.0)
            best, second = sorted(scores, key=scores.__getitem__, reverse=True)[:2]
            assert best == text, scores
            assert scores[best] > 0.6 and scores[best] - scores[second] > 0.05, scores


def test_what_is_read_is_not_read_without_a_board():
    nothing = sheet.view([replace(BOARD, present=False)], 15.0)
    assert max(sheet.told(nothing, BOARD, 15.0).values()) < 0.35


@pytest.mark.parametrize("away", [8.0, 15.0, 25.0])
def test_a_board_covers_the_pixels_that_geometry_says(away: float):
    sign = replace(BOARD, colour="blue")
    with_it, without = seen(with_sign(sign, away), with_sign(replace(sign, present=False), away))
    blue = (with_it[..., 2] - with_it[..., 0] > 40) & (with_it != without).any(-1)
    found = np.argwhere(blue)[:, ::-1]
    wanted = sheet.corners(sign, away)
    # pixel centres lie up to half a pixel inside, and a corner's samples blend with its light border
    assert np.abs(found.min(0) - wanted.min(0)).max() < 1.6
    assert np.abs(np.minimum(wanted.max(0), (255, 143)) - found.max(0) - 1).max() < 1.6


def test_a_sign_changes_nothing_but_its_own_pixels():
    with_it, without = seen(with_sign(BOARD), with_sign(replace(BOARD, present=False)))
    changed = np.argwhere((with_it != without).any(-1))[:, ::-1]
    low, high = sheet.corners(BOARD, 15.0).min(0), sheet.corners(BOARD, 15.0).max(0)
    assert 400 < len(changed) < 1400
    assert (changed[:, 0] >= low[0] - 1).all() and (changed[:, 0] <= high[0] + 1).all()
    below = changed[changed[:, 1] > high[1] + 1]
    assert len(below) > 5 and np.ptp(below[:, 0]) <= 2  # the post


def test_the_back_is_grey_and_has_the_panels_outline():
    behind = replace(sheet.FRONT, forward=-1.6)
    sign = SignSpec("stop", "stop", distance=30.0, side=3.0)
    passed = episode(map=sheet.MAP, distance=22.0, speed=0.0, signs=(sign,))
    camera = replace(behind, yaw=180.0)
    with_it, without = seen(passed, replace(passed, signs=(replace(sign, present=False),)), camera=camera)
    changed = (with_it != without).any(-1)
    assert changed.sum() > 200
    assert np.ptp(with_it[changed], axis=-1).max() < 30  # daylight is a little blue
    wide = changed.sum(1).max()
    top = changed.sum(1)[changed.any(1)][0]
    assert top < 0.75 * wide  # an octagon is cut at its corners


def test_fog_and_night_shade_a_board_like_other_things():
    kept = {}
    for name in ("day", "fog", "night"):
        picture = sheet.view([BOARD], 15.0, sheet.WEATHERS[name]).astype(float)
        low, high = sheet.corners(BOARD, 15.0).min(0).astype(int) + 2, sheet.corners(BOARD, 15.0).max(0).astype(int) - 2
        kept[name] = picture[low[1] : high[1], low[0] : high[0]].mean(-1)
    assert kept["fog"].std() < 0.5 * kept["day"].std()
    far = sheet.view([BOARD], 60.0, sheet.WEATHERS["night"]).astype(float)
    at = sheet.corners(BOARD, 60.0)
    middle = at.mean(0).astype(int)
    unlit = far[middle[1] - 1 : middle[1] + 2, middle[0] - 2 : middle[0] + 3].mean()
    assert unlit < 0.5 * kept["night"].mean()  # headlights reach the near one only


def test_rain_falls_before_a_board():
    sign = replace(BOARD, colour="green")
    dry, wet = (sheet.view([sign], 15.0, sheet.WEATHERS[name]).astype(int) for name in ("day", "rain"))
    low, high = sheet.corners(sign, 15.0).min(0).astype(int) + 1, sheet.corners(sign, 15.0).max(0).astype(int) - 1
    cut = (slice(low[1], high[1]), slice(low[0], high[0]))
    assert (wet[cut].mean(-1) > dry[cut].mean(-1) + 12).mean() > 0.02  # streaks
    assert np.median(wet[cut]) < np.median(dry[cut])


# ------------------------------------------------------------------------------------------------------- painting
def test_words_are_wrapped_onto_as_many_lines_as_make_them_largest():
    assert wrapped("SCHOOL", "plain")[0] == ("SCHOOL",)
    assert wrapped("DETOUR IF WET", "plain")[0] == ("DETOUR", "IF WET")
    lines, size = wrapped("BRIDGE CLOSED AFTER RAIN USE THE NORTH ROAD", "narrow")
    assert len(lines) in (3, 4) and " ".join(lines) == "BRIDGE CLOSED AFTER RAIN USE THE NORTH ROAD"
    assert size < wrapped("BRIDGE", "narrow")[1]


@pytest.mark.parametrize("kind", SIGN_KINDS)
def test_every_sign_is_painted_in_a_shape_of_its_own(kind: str):
    face = SignDesign(kind, "GO", "white", "plain") if kind == "text" else SignDesign(kind)
    p = paint_sign(face)
    assert p.dtype == np.uint8 and all(side & (side - 1) == 0 for side in p.shape[:2])
    hole = p[..., 3] == HOLE
    share = {"text": (0.0, 0.03), "stop": (0.1, 0.25), "yield": (0.45, 0.55), "speed": (0.18, 0.25)}
    low, high = share[kind.partition("_")[0]]
    assert low < hole.mean() < high
    assert not hole[p.shape[0] // 3, p.shape[1] // 2]


def test_no_two_signs_look_alike():
    faces = [SignDesign(k) for k in SIGN_KINDS if k != "text"]
    faces += [SignDesign("text", "ROAD WORK", c, f) for c in BOARD_COLOURS for f in FONTS]
    assert len({paint_sign(f).tobytes() for f in faces}) == len(faces)
    assert len({pack_sign(f, 0.0) for f in faces}) == len(faces)


def test_wear_bleaches_soils_and_repeats():
    face = SignDesign("text", "ROAD WORK", "white", "plain")
    contrast = [weathered(face, w, 4)[..., :3].astype(float).std() for w in (0.0, 0.3, 0.6, 1.0)]
    assert all(b < a - 3 for a, b in itertools.pairwise(contrast))
    assert weathered(face, 0.0, 4).tobytes() == paint_sign(face).tobytes()
    assert weathered(face, 0.5, 4).tobytes() == weathered(face, 0.5, 4).tobytes()
    assert weathered(face, 0.5, 4).tobytes() != weathered(face, 0.5, 5).tobytes()


def test_dirt_follows_from_the_episodes_seed():
    worn_board = replace(BOARD, weathering=0.6)
    pictures = {seen(with_sign(worn_board, 9.0, seed=s)).tobytes() for s in range(12)}
    assert 4 < len(pictures) <= 12
    assert len({seen(with_sign(BOARD, 9.0, seed=s)).tobytes() for s in range(4)}) == 1  # a new one has none


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ROAD \u6f22", ["'\u6f22'", "no letter"]),
        ("ROAD \U0001f6a7", ["no letter", "plain"]),
        ("   ", ["no words", "ROAD WORK"]),
        (7, ["7", "no words"]),
        ("W" * 40, ["too long", "its word 'WWW", "4 lines", "in all"]),
        ("ROAD WORK " * 20, ["too long", "199 letters", "in all"]),
    ],
)
def test_what_no_board_can_carry_is_told_in_one_sentence(text: object, told: list[str]):
    with pytest.raises(ValueError) as error:
        check_text(text)
    assert "\n" not in str(error.value)
    for part in told:
        assert part in str(error.value), str(error.value)


@pytest.mark.parametrize("font", FONTS)
def test_as_many_letters_fit_as_the_message_says(font: str):
    with pytest.raises(ValueError) as error:
        check_text("NINE NINE " * 30, font)
    a_line = int(re.search(r"lines of about (\d+)", str(error.value)).group(1))  # type: ignore[union-attr]
    assert check_text(" ".join(["NINE NINE NINE NINE NINE NINE"[: a_line - 1].strip()] * LINES), font)
    with pytest.raises(ValueError, match="too long"):
        check_text(" ".join([("NINE" * 9)[: a_line + 4]] * LINES), font)


def test_texts_lose_superfluous_spaces_and_may_be_lower_case():
    assert check_text("  Déviation  à 200 m ") == "Déviation à 200 m"


# ---------------------------------------------------------------------------------------------------- in the world
def test_worlds_with_signs_do_not_depend_on_their_neighbours():
    episodes = [
        with_sign(replace(BOARD, text=t, weathering=0.1 * i, present=i != 2), 6.0 + i, seed=i, weather=w)
        for i, (t, w) in enumerate(zip(sheet.TEXTS, [*sheet.WEATHERS.values(), sheet.DAY, sheet.NIGHT, sheet.DAY]))
    ]
    together = started(episodes * 8, SMALL, threads=2)
    pictures = together.observe().camera
    for i in (0, 3, 7):
        alone = started([episodes[i]], SMALL)
        for place in (i, 56 + i):
            assert row_bytes(together, place) == row_bytes(alone, 0)
            assert pictures[place].tobytes() == alone.observe().camera[0].tobytes()


def test_signs_stand_behind_the_actors_and_find_room():
    signs = tuple(replace(BOARD, name=f"b{i}", distance=8.0 + 4.0 * i) for i in range(3))
    backend = EmbeddedWorld(2, SMALL, Simulation(actors=1))
    backend.reset([episode(), episode(signs=signs)])
    assert backend.world.kind.tolist() == [[1, 0, 0, 0], [1, SIGN, SIGN, SIGN]]
    backend.reset([episode()], slots=[1])
    assert backend.world.kind.tolist() == [[1, 0, 0, 0]] * 2
    backend.step(Action(np.zeros(2, np.float32), np.ones(2, np.float32)))


def test_a_post_can_be_run_into():
    sign = replace(BOARD, side=0.3, distance=12.0)
    for present, outcome in ((True, "collision"), (False, "running")):
        backend = started([episode(distance=20.0, signs=(replace(sign, present=present),))])
        for _ in range(12):
            backend.step(Action(np.zeros(1, np.float32), np.zeros(1, np.float32)))
        assert backend.world.outcome[0] == OUTCOME[outcome]
    assert POST < 0.2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "halt"}, "unknown kind 'halt'; known are text, stop, yield, speed_20"),
        ({"font": "comic"}, "unknown font 'comic'; known are plain, narrow, serif"),
        ({"colour": "pink"}, "unknown colour 'pink'; known are orange"),
        ({"weathering": 2.0}, "weathering is 2.0"),
        ({"text": "\u6f22"}, "no letter"),
        ({"arm": "north"}, "no arm 'north'; the junction has"),
    ],
)
def test_a_sign_that_cannot_be_is_told_by_name_and_leaves_the_world_alone(change: dict[str, object], told: str):
    backend = started([episode()])
    before = row_bytes(backend, 0)
    with pytest.raises(ValueError, match=re.escape(told)) as error:
        backend.reset([episode(2, signs=(replace(BOARD, **change),))])  # type: ignore[arg-type]
    assert str(error.value).startswith("sign board: ")
    assert row_bytes(backend, 0) == before


def test_episodes_are_stored_with_their_signs_and_as_before_without():
    with_it = episode(signs=(BOARD, SignSpec("limit", "speed_30", weathering=0.25)))
    assert Episode.from_dict(with_it.to_dict()) == with_it
    assert "signs" not in episode().to_dict() and Episode.from_dict(episode().to_dict()) == episode()


# -------------------------------------------------------------------------------------------------------- the atlas
def test_the_atlas_forgets_what_is_too_much_and_never_pulls_a_picture_from_under_anybody():
    keys = [pack_sign(design_of(replace(BOARD, text=f"EXIT {i}")), 0.0) << 4 for i in range(12)]
    one = 4 * sum(level.size for level in boards._pyramid(keys[0]))
    atlas = SignAtlas(5 * one)
    first, found = atlas.find(keys[:3])
    kept = [first.texels[first.start[r, 0] : first.start[r, 1]].copy() for r in found]
    for key in keys:
        atlas.find([key])
        assert atlas.pictures <= 5
    for r, wanted in zip(found, kept):
        np.testing.assert_array_equal(first.texels[first.start[r, 0] : first.start[r, 1]], wanted)
    again, found = atlas.find(keys[:3])
    for r, wanted in zip(found, kept):
        np.testing.assert_array_equal(again.texels[again.start[r, 0] : again.start[r, 1]], wanted)
    everything, found = atlas.find(keys)  # one call may show more than is kept
    assert sorted(found) == list(range(12)) and everything.texels.nbytes >= 12 * one


def test_a_sign_that_is_not_placed_is_an_error_that_names_it():
    backend = started([with_sign(BOARD)])
    backend.world.appearance[0, 1] = 7 << 4
    with pytest.raises(ValueError, match="sign 7, which no backend placed here"):
        backend.observe()


def test_a_sign_is_painted_once_for_all_worlds():
    backend = started([with_sign(replace(BOARD, text="ONCE ONLY", weathering=0.5), seed=7)] * 5)
    before = ATLAS.pictures
    _, found = signs_in(backend.world)
    assert ATLAS.pictures <= before + 1 and len(set(found[:, 1])) == 1
    render(backend.maps.arrays, rows(backend.world, [0, 3]), SMALL)
    assert ATLAS.pictures <= before + 1


def test_the_kernel_of_signs_has_no_double_precision():
    backend = started([with_sign(BOARD)], sheet.FRONT)
    f, zero = np.float32, np.float32(0)
    view = sheet.camera_rays(sheet.FRONT)
    target = ColourTarget(
        np.zeros((144, 256), f), np.zeros((144, 256, 3), np.uint8), np.zeros(6, f), view.rows, view.cols,
        np.zeros(LIGHT_SIZE, f), np.zeros(DEPTHS, f), (zero, zero, zero), (zero, zero, zero), zero, zero, False,
    )  # fmt: skip
    cold = numba.njit(nogil=True, fastmath=True, error_model="numpy")(boards.draw_signs.py_func)
    cold(target, 0, (zero, zero, zero), view.geometry, new_scratch(144), scene_of(backend.maps.arrays, backend.world))
    (code,) = cold.inspect_llvm().values()
    doubles = re.findall(r"f(?:add|sub|mul|div|neg|cmp)[^\n]* double[^\n]*", code)
    assert not doubles, doubles[:3]


def test_panels_hang_above_the_ground():
    assert all(bottom > 1.0 and wide > 0.5 and tall > 0.5 for wide, tall, bottom in PANELS.values())
