"""OpenDRIVE in, a world to drive in out: junctions, routes, ground, scenery, the cache, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.actors.registry import KIND
from sim.datatypes.episode import MapSpec
from sim.datatypes.vocabulary import DECISIONS, DRIVABLE, ROUTE_SPACING, SURFACE, SURFACES
from sim.road.generators import registry as maps
from sim.road.generators.intersections import crossroads, t_junction
from sim.road.map import compiler as road
from sim.road.map.loading import junctions_of_kind, load_map
from sim.road.map.rasterize import Canvas, classify
from sim.road.opendrive.reader import read_network, text_for_carla
from sim.viz.top_down import top_down
from sim.viz.viewport import Viewport

MAPS = os.environ.get("HOMUNCULUS_MAPS")
needs_maps = pytest.mark.skipif(not MAPS, reason="set HOMUNCULUS_MAPS to a folder with Town01.xodr and Town02.xodr")


@pytest.fixture(scope="module")
def t_map():
    return road.compile_map(t_junction(), "t")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOMUNCULUS_CACHE", str(tmp_path))
    road.compiled.cache_clear()
    yield tmp_path
    road.compiled.cache_clear()


def _surface_at(ground, points):
    cell = np.floor((np.asarray(points)[:, :2] - ground.origin) / ground.surface_texel).astype(int)
    return ground.surface[cell[:, 1], cell[:, 0]]


def _check_routes(road_map, junction):
    for route in junction.routes:
        points = route.path.points
        who = f"{road_map.name} {junction.id} {route.origin}->{route.target}"
        spacing = np.hypot(*np.diff(points[:, :2], axis=0).T)
        # Chords of a bend are shorter than the arcs between their ends: 3 % at the tightest, radius 3.3 m.
        np.testing.assert_allclose(spacing, ROUTE_SPACING, rtol=0.03, err_msg=who)
        assert np.abs(np.diff(points[:, 2])).max() < 0.15, who
        assert np.isfinite(points).all() and np.abs(points[:, 3]).max() < 0.35, who
        assert 0.0 < route.junction_in < route.junction_out < route.path.length, who
        turn = np.degrees(np.interp(route.junction_out + 2, np.arange(len(points)) * 0.5, points[:, 2])
                          - np.interp(route.junction_in - 2, np.arange(len(points)) * 0.5, points[:, 2]))  # fmt: skip
        wanted = {"left": 90.0, "right": -90.0, "straight": 0.0}[DECISIONS[route.decision]]
        assert abs(turn - wanted) < 20.0, who
        assert np.isin(_surface_at(road_map.ground, points), DRIVABLE).all(), who


def _check_t(junction):
    assert list(junction.arms) == ["south", "west", "east"]
    ways = {(r.origin, r.target): DECISIONS[r.decision] for r in junction.routes}
    assert ways == {
        ("south", "west"): "left", ("south", "east"): "right",
        ("west", "south"): "right", ("west", "east"): "straight",
        ("east", "south"): "left", ("east", "west"): "straight",
    }  # fmt: skip


def _check_houses(road_map):
    houses = road_map.scenery[np.isin(road_map.scenery[:, 0], [KIND["house"], KIND["building"]])]
    for _, x, y, yaw, length, width, _, _ in houses:
        u, v = np.meshgrid(np.linspace(-0.5, 0.5, 30) * length, np.linspace(-0.5, 0.5, 30) * width)
        at = np.stack([x + u * np.cos(yaw) - v * np.sin(yaw), y + u * np.sin(yaw) + v * np.cos(yaw)], -1).reshape(-1, 2)
        assert (_surface_at(road_map.ground, at) == SURFACE["verge"]).all()


def test_a_generated_t_has_a_stem_that_offers_left_and_right(t_map):
    (junction,) = t_map.junctions
    assert junction.kind == "t_junction"
    _check_t(junction)
    _check_routes(t_map, junction)
    assert [DECISIONS[r.decision] for r in junction.routes_from("south")] == ["left", "right"]


def test_arms_lie_where_their_names_say(t_map):
    arms = t_map.junctions[0].arms
    x, y = arms["south"].inbound.points[-1, :2]
    assert x > 0 > y  # right-hand traffic: driving north one is east of the centre line
    assert arms["west"].outbound.points[-1, 0] < -40 and arms["east"].outbound.points[-1, 0] > 40


def test_inbound_lanes_end_and_outbound_lanes_begin_where_the_routes_cross_the_junctions_edge(t_map):
    (junction,) = t_map.junctions
    for route in junction.routes:
        points, stations = route.path.points, np.arange(len(route.path.points)) * 0.5
        for distance, expected in (
            (route.junction_in, junction.arms[route.origin].inbound.points[-1]),
            (route.junction_out, junction.arms[route.target].outbound.points[0]),
        ):
            at = [np.interp(distance, stations, points[:, k]) for k in (0, 1)]
            assert np.hypot(*(at - expected[:2])) < 0.12  # the route is rounded off by a few centimetres


def test_crossroads_name_their_arms_round_the_compass():
    crossing = road.compile_map(crossroads(), "x")
    (junction,) = crossing.junctions
    assert junction.kind == "crossroads"
    targets = {r.target: DECISIONS[r.decision] for r in junction.routes_from("south")}
    assert targets == {"west": "left", "east": "right", "north": "straight"}
    _check_routes(crossing, junction)


def test_the_junction_has_no_holes_and_is_framed_by_pavement(t_map):
    ground = t_map.ground
    grid = np.stack(np.meshgrid(np.arange(-10, 10, 0.25), np.arange(-3.4, 3.4, 0.25)), -1).reshape(-1, 2)
    assert (_surface_at(ground, grid) == SURFACE["junction"]).all()
    north = np.stack([np.arange(-40, 40, 0.5), np.full(160, 5.0)], 1)
    assert (_surface_at(ground, north) == SURFACE["pavement"]).all()


def test_the_island_that_wide_turns_would_leave_is_filled():
    network = read_network(t_junction(radius=25.0), "wide")
    canvas = Canvas(np.array([-40.0, -60.0]), 0.25, (320, 320))
    stem = classify(network, canvas)[int(35 / 0.25) : int(59 / 0.25), int(40 / 0.25)]  # x = 0, y from -25 to -1
    assert (stem == SURFACE["junction"]).all()


def test_each_level_of_the_picture_averages_the_finer_one(t_map):
    levels = t_map.ground.levels
    assert len(levels) == 6
    for fine, coarse in itertools.pairwise(levels):
        mean = fine.reshape(coarse.shape[0], 2, coarse.shape[1], 2, 4).mean((1, 3))
        assert np.abs(mean - coarse).max() <= 1.0  # rounding


def test_rain_darkens_asphalt_and_hardly_grass(t_map):
    ground = t_map.ground
    wet = ground.levels[1][..., 3]  # the texel of level 1 is that of the class raster
    assert ground.texel * 2 == ground.surface_texel
    surface = ground.surface[: wet.shape[0], : wet.shape[1]]
    assert np.median(wet[surface == SURFACE["junction"]]) == 255
    assert np.median(wet[surface == SURFACE["verge"]]) < 30
    assert 140 < np.median(wet[surface == SURFACE["pavement"]]) < 180


def test_the_centre_line_is_dashed_and_the_stem_ends_at_a_stop_line(t_map):
    ground = t_map.ground

    def brightness(x, y):
        row, column = int((y - ground.origin[1]) / ground.texel), int((x - ground.origin[0]) / ground.texel)
        return float(ground.levels[0][row - 1 : row + 2, column - 1 : column + 2, :3].max())

    along = np.array([brightness(x, 0.0) for x in np.arange(-55.0, -15.0, 0.25)])
    assert 0.2 < (along > 150).mean() < 0.7
    assert brightness(1.75, -11.25) > 170  # 0.5 m before the junction's edge at y = -10.75
    assert brightness(-1.75, -11.25) < 150


def test_scenery_stands_on_open_ground(t_map):
    kinds = t_map.scenery[:, 0].astype(int)
    houses = np.isin(kinds, [KIND["house"], KIND["building"]])
    assert 15 <= houses.sum() <= 40
    assert 30 <= np.isin(kinds, [KIND["tree"], KIND["lamp"]]).sum() <= 100
    _check_houses(t_map)


def test_a_house_closes_the_view_opposite_the_stem(t_map):
    houses = t_map.scenery[np.isin(t_map.scenery[:, 0], [KIND["house"], KIND["building"]])]
    ahead = houses[(np.abs(houses[:, 1] - 1.75) < 0.5 * houses[:, 4]) & (houses[:, 2] > 5.0)]
    assert len(ahead)


def test_compiling_twice_gives_the_same_bytes(t_map):
    again = road.compile_map(t_junction(), "t")
    assert again.digest == t_map.digest
    assert again.scenery.tobytes() == t_map.scenery.tobytes()
    assert again.skyline.tobytes() == t_map.skyline.tobytes()
    assert again.ground.surface.tobytes() == t_map.ground.surface.tobytes()
    assert [a.tobytes() for a in again.ground.levels] == [a.tobytes() for a in t_map.ground.levels]


def test_the_skyline_is_low_and_its_ends_meet(t_map):
    line = t_map.skyline
    assert line.shape == (512,) and line.dtype == np.float32
    assert 0.0099 < line.min() and line.max() <= 0.08
    assert abs(line[0] - line[-1]) < 0.06


def test_the_cache_returns_the_map_that_was_stored(t_map, tmp_path):
    road.write_cache(tmp_path / "map.npz", t_map)
    back = road.read_cache(tmp_path / "map.npz", t_map.opendrive, "t")
    assert back.ground.surface.tobytes() == t_map.ground.surface.tobytes()
    assert all(a.tobytes() == b.tobytes() for a, b in zip(back.ground.levels, t_map.ground.levels))
    assert back.scenery.tobytes() == t_map.scenery.tobytes()
    for a, b in zip(back.junctions[0].routes, t_map.junctions[0].routes):
        assert a.path.points.tobytes() == b.path.points.tobytes()
        assert replace(a, path=b.path) == b
    assert list(back.junctions[0].arms) == list(t_map.junctions[0].arms)


def test_a_second_load_reads_the_cache_and_a_corrupt_cache_is_made_again(cache, monkeypatch):
    spec = MapSpec(parameters=(("arm", 20.0),))
    first, _ = load_map(spec)
    (file,) = (cache / "maps").glob("*.npz")
    road.compiled.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(road, "compile_map", lambda *_: pytest.fail("compiled although it was cached"))
        second, _ = load_map(spec)
    assert second.ground.levels[0].tobytes() == first.ground.levels[0].tobytes()
    road.compiled.cache_clear()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="cannot be read"):
        third, _ = load_map(spec)
    assert third.ground.levels[0].tobytes() == first.ground.levels[0].tobytes()
    road.read_cache(file, third.opendrive, "t")  # the torn file was replaced by a whole one


def test_a_file_is_looked_for_in_the_search_folders_and_checked(cache, tmp_path, monkeypatch):
    monkeypatch.delenv("HOMUNCULUS_MAPS", raising=False)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "small.xodr").write_text(t_junction(arm=15.0))
    sha = hashlib.sha256((folder / "small.xodr").read_bytes()).hexdigest()
    spec = MapSpec(generate=None, file="small.xodr", sha256=sha)
    road_map, junction = load_map(spec, [folder])
    assert road_map.name == "small" and junction.kind == "t_junction"
    with pytest.raises(FileNotFoundError, match=r"small\.xodr.*looked at.*nowhere"):
        load_map(spec, [tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="SHA-256"):
        load_map(replace(spec, sha256="0" * 64), [folder])
    with pytest.raises(ValueError, match="1 junctions of kind 't_junction'"):
        load_map(replace(spec, junction=1), [folder])
    with pytest.raises(ValueError, match=r"kind 'crossroads'.*kinds that it has: t_junction"):
        load_map(replace(spec, kind="crossroads"), [folder])
    monkeypatch.setenv("HOMUNCULUS_MAPS", str(folder))
    assert load_map(spec)[0] is road_map


def test_unknown_generators_and_parameters_are_refused_before_anything_is_compiled():
    with pytest.raises(ValueError, match=r"known are crossroads, .*, t_junction"):
        load_map(MapSpec(generate="spiral"))
    with pytest.raises(ValueError, match="no parameter 'width'"):
        load_map(MapSpec(parameters=(("width", 3.0),)))


GOOD = t_junction()
_SIGNAL = '<signals><signalReference s="1" t="0" id="77" orientation="+"/></signals>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no map at all", "not readable as XML"),
        ("<html/>", "root element is <html>"),
        ("<OpenDRIVE/>", "it has no roads"),
        (GOOD.replace('type="driving"', 'type="sidewalk"'), "no driving lanes .only shoulder, sidewalk"),
        (GOOD.replace('hdg="0"', 'hdg="nan"'), "hdg='nan'"),
        (GOOD.replace('<arc curvature="-', '<spiral curvEnd="nan" curvStart="-0.1" old="'), "no finite position"),
        (GOOD.replace("</road>", _SIGNAL + "</road>", 1), "names signal 77, which does not exist"),
        (GOOD.replace("</junction>", '<controller id="9"/></junction>'), "names controller 9"),
        (GOOD.replace('connectingRoad="100"', 'connectingRoad="555"'), "names road 555"),
        (GOOD.replace('elementId="2"', 'elementId="42"'), "42, which does not exist"),
        (GOOD.replace(' id="1" junction', ' id="one" junction'), "'one' is not an integer"),
    ],
)
def test_a_bad_text_is_refused_in_one_sentence_that_names_the_map(text, reason):
    with pytest.raises(ValueError, match=f"map somewhere: .*{reason}") as raised:
        road.compile_map(text, "somewhere")
    assert "\n" not in str(raised.value)


def test_a_junction_that_shares_its_id_with_a_road_is_still_connected():
    clash = GOOD.replace('junction="1000"', 'junction="2"').replace('<junction id="1000"', '<junction id="2"')
    clash = clash.replace('elementType="junction" elementId="1000"', 'elementType="junction" elementId="2"')
    assert clash.count("1000") == 0
    assert len(next(iter(read_network(clash, "clash").connectors().values()))) == 6
    assert text_for_carla(clash, "clash") != clash
    assert text_for_carla(GOOD, "good") == GOOD


def test_a_spiral_of_one_curvature_is_driven_as_the_arc_that_it_is():
    spiral = re.sub(r'<arc curvature="([-.0-9]+)" />', r'<spiral curvStart="\1" curvEnd="\1" />', GOOD)
    assert spiral.count("<spiral") == 4
    for a, b in zip(read_network(spiral, "spiral").lanes, read_network(GOOD, "good").lanes):
        np.testing.assert_allclose(a.points, b.points, atol=1e-5)


@pytest.mark.parametrize("name", ["crosswalk", "parking_bays", "roundabout"])
def test_a_map_without_a_junction_of_three_arms_compiles_to_one_without_junctions(name):
    road_map = road.compile_map(maps.generate(name), name)
    assert road_map.junctions == ()
    found = {SURFACES[k] for k in np.unique(road_map.ground.surface)}
    assert ("parking" in found) == (name == "parking_bays") and "road" in found
    assert np.ptp(road_map.ground.levels[0][..., :3]) > 50


def test_a_town_of_blocks_has_junctions_of_both_kinds_with_sane_routes():
    town = road.compile_map(maps.generate("grid_town", [("blocks_x", 2), ("blocks_y", 2), ("block", 60)]), "town")
    assert sorted(j.kind for j in town.junctions) == ["crossroads", *["t_junction"] * 4]
    for junction in town.junctions:
        _check_routes(town, junction)
    for junction in junctions_of_kind(town, "t_junction"):
        _check_t(junction)


def test_a_map_without_junctions_comes_back_from_the_cache(tmp_path):
    made = road.compile_map(maps.generate("crosswalk"), "c")
    road.write_cache(tmp_path / "c.npz", made)
    back = road.read_cache(tmp_path / "c.npz", made.opendrive, "c")
    assert back.junctions == () and back.ground.surface.tobytes() == made.ground.surface.tobytes()


def test_a_file_that_cannot_be_driven_is_named_with_the_reason(cache, tmp_path):
    (tmp_path / "paths.xodr").write_text(GOOD.replace('type="driving"', 'type="sidewalk"'))
    with pytest.raises(ValueError, match=r"paths\.xodr: map paths: .*no driving lanes") as raised:
        load_map(MapSpec(generate=None, file="paths.xodr"), [tmp_path])
    assert "\n" not in str(raised.value)


@needs_maps
@pytest.mark.parametrize(
    ("file", "kinds"),
    [
        ("fabriksgatan_traffic_lights", ["crossroads"]),
        ("parking_demo", ["t_junction"]),
        ("simple_4way_intersection", ["crossroads"]),
        ("straight_500m_signs", []),
    ],
)
def test_files_of_other_projects_compile_and_can_be_drawn_from_above(file, kinds):
    path = Path(str(MAPS)) / f"{file}.xodr"
    if not path.is_file():
        pytest.skip(f"$HOMUNCULUS_MAPS has no {file}.xodr")
    road_map = road.compile_map(path.read_text(encoding="utf-8-sig"), file)
    assert [j.kind for j in road_map.junctions] == kinds
    lanes = [lane.points for lane in read_network(road_map.opendrive, file).lanes if lane.drives]
    middle = np.mean(np.concatenate(lanes)[:, :2], axis=0)
    picture = top_down(road_map, Viewport((float(middle[0]), float(middle[1])), 200.0, 120, 120))
    assert picture.shape == (120, 120, 3) and picture.std() > 5


@needs_maps
@pytest.mark.parametrize(("town", "count"), [("Town01", 12), ("Town02", 8)])
def test_every_t_junction_of_a_carla_town_has_sane_routes(town, count):
    road_map = road.compile_map((Path(str(MAPS)) / f"{town}.xodr").read_text(), town)
    junctions = junctions_of_kind(road_map, "t_junction")
    assert len(junctions) == count
    for junction in junctions:
        _check_t(junction)
        _check_routes(road_map, junction)
    _check_houses(road_map)
    assert road_map.ground.levels[0].size <= 4 * 3.3e6
