"""What a program has to do without here, as docs/reference/carla-rpc.md tells it row by row."""

from __future__ import annotations

import queue
from typing import Any

import carla
import numpy as np
import pytest

from tests.support.source_tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "carla-rpc.md").read_text()


@pytest.fixture
def walker(town: Any) -> Any:
    """Somebody on foot, away from everything."""
    place = carla.Transform(carla.Location(x=200.0, y=200.0, z=1.0))
    made = town.spawn_actor(town.get_blueprint_library().find("walker.pedestrian.0001"), place)
    town.tick()
    return made


@pytest.fixture
def car(town: Any) -> Any:
    """A car at the first spawn point."""
    made = town.spawn_actor(
        town.get_blueprint_library().find("vehicle.tesla.model3"), town.get_map().get_spawn_points()[0]
    )
    town.tick()
    return made


@pytest.mark.parametrize("kind", ["camera.dvs", "camera.normals"])
def test_sensors_that_nothing_measures_are_found_and_refused_when_they_are_asked_for(kind: str, town: Any) -> None:
    assert kind.split(".")[1] in PAGE
    blueprint = town.get_blueprint_library().find(f"sensor.{kind}")
    with pytest.raises(RuntimeError, match=rf"sensor\.{kind} measures nothing here; .*sensor\.camera\.rgb"):
        town.spawn_actor(blueprint, carla.Transform())


def test_there_are_no_children(town: Any) -> None:
    walkers = town.get_blueprint_library().filter("walker.pedestrian.*")
    assert {str(b.get_attribute("age").as_str()) for b in walkers} == {"adult"}
    with pytest.raises(IndexError):
        town.get_blueprint_library().find("walker.pedestrian.0009")


def test_walkers_do_not_find_their_way_by_themselves_and_do_not_jump(walker: Any, town: Any) -> None:
    assert town.get_random_location_from_navigation() is None
    mind = town.spawn_actor(town.get_blueprint_library().find("controller.ai.walker"), carla.Transform(), walker)
    town.tick()
    began = walker.get_location()
    mind.start()
    mind.go_to_location(began + carla.Location(x=20.0))
    for _ in range(20):
        town.tick()
    assert walker.get_location().distance(began) < 0.01
    mind.stop()
    mind.destroy()
    walker.apply_control(carla.WalkerControl(carla.Vector3D(1.0, 0.0, 0.0), 1.0, True))
    heights = []
    for _ in range(20):
        town.tick()
        heights.append(walker.get_location().z)
    assert np.ptp(heights) < 1e-3


def test_what_is_refused_says_why_where_the_client_waits(client: Any, car: Any, town: Any) -> None:
    with pytest.raises(RuntimeError, match="recordings are not played"):
        client.replay_file("drive.rec", 0.0, 0.0, 0)
    with pytest.raises(RuntimeError, match="pictures have textures of their own"):
        town.apply_color_texture_to_object("wall", carla.MaterialParameter.Diffuse, carla.TextureColor(2, 2))
    with pytest.raises(RuntimeError, match=r"no map 'Town99'; known are the generators .*grid_town"):
        client.load_world("Town99")
    car.enable_carsim("")
    car.enable_chrono_physics(5, 0.002, "", "", "", "")
    frame = town.tick()
    assert town.tick() == frame + 1


def test_a_camera_shows_what_is_drawn_but_words_and_the_hud_and_no_lamps_that_a_program_switches(
    car: Any, town: Any
) -> None:
    seen: queue.Queue[Any] = queue.Queue()
    blueprint = town.get_blueprint_library().find("sensor.camera.rgb")
    for side, size in (("x", "96"), ("y", "64")):
        blueprint.set_attribute(f"image_size_{side}", size)
    eye = town.spawn_actor(blueprint, carla.Transform(carla.Location(x=-6.0, z=2.5)), attach_to=car)
    eye.listen(seen.put)

    def picture() -> np.ndarray:
        town.tick()
        return np.frombuffer(seen.get(timeout=20).raw_data, np.uint8).reshape(64, 96, 4)[..., 2::-1].astype(int)

    before = picture()
    above = car.get_transform().transform(carla.Location(z=2.5))  # at the height of the camera, 6 m ahead of it
    town.debug.draw_string(above, "here", life_time=0.0)
    town.debug.draw_hud_point(above, size=1.0, life_time=0.0)
    car.set_light_state(carla.VehicleLightState(carla.VehicleLightState.Brake | carla.VehicleLightState.HighBeam))
    assert (picture() == before).all()
    town.debug.draw_point(above, size=1.0, color=carla.Color(0, 0, 255), life_time=-1.0)
    blue = np.argwhere((picture() == (0, 0, 255)).all(-1))
    assert blue.mean(0) == pytest.approx([31.5, 47.5], abs=1.0) and np.ptp(blue, axis=0) == pytest.approx(8, abs=2)
    assert (picture() == before).all(), "it was for a tick"
    ahead = car.get_transform().transform(carla.Location(x=2000.0, z=2.5))  # whatever stands at the road hides it
    town.debug.draw_line(ahead + carla.Location(z=-200.0), ahead, 20.0, carla.Color(0, 0, 255), -1.0)
    assert (picture() == before).all()
    eye.stop()
    eye.destroy()


def test_lamps_of_lights_and_streets_are_not_told_apart(town: Any) -> None:
    town.tick()
    assert not any(len(light.get_light_boxes()) for light in town.get_actors().filter("traffic.traffic_light*"))
    assert not len(town.get_lightmanager().get_all_lights())


def test_the_jitter_of_a_spawn_is_centimetres_unless_it_is_switched_off(town: Any) -> None:
    blueprint = town.get_blueprint_library().find("vehicle.tesla.model3")
    point = town.get_map().get_spawn_points()[0]
    apart = {}
    for jitter in ("0.0", "0.05"):
        blueprint.set_attribute("spawn_jitter", jitter)
        places = []
        for _ in range(4):
            made = town.spawn_actor(blueprint, point)
            town.tick()
            places.append(made.get_location())
            made.destroy()
        apart[jitter] = max(a.distance(b) for a in places for b in places)
    assert apart["0.0"] == 0.0 and 0.001 < apart["0.05"] <= 0.1


def test_the_random_generator_restarts_with_every_map_so_that_spawns_repeat(client: Any) -> None:
    seen = []
    for _ in range(2):
        world = client.reload_world()
        points = world.get_map().get_spawn_points()[:3]
        blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
        cars = [world.spawn_actor(blueprint, point) for point in points]
        world.wait_for_tick()
        places = [car.get_location() for car in cars]
        assert all(place.distance(point.location) > 0.01 for place, point in zip(places, points)), "nobody was moved"
        seen.append([(place.x, place.y) for place in places])
    assert seen[0] == seen[1]
