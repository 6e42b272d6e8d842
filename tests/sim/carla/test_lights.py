"""Traffic lights of a server: what they show, whom they stop, and that a client may switch them."""

from __future__ import annotations

import queue
import socket
from collections import Counter
from typing import Any

import carla
import numpy as np

from sim.road.graph.lane_graph import LIGHTS, lane_graph
from sim.road.graph.traffic_lights import light_state, signal_plans
from tests.support.carla_actors import DT, car, spawned, synchronous, ticks
from tests.support.servers import attended, visited

RED, YELLOW, GREEN = carla.TrafficLightState.Red, carla.TrafficLightState.Yellow, carla.TrafficLightState.Green


def lights_of(world: Any) -> list[Any]:
    """All lights, once a snapshot has told of them."""
    world.tick()
    return sorted(world.get_actors().filter("traffic.traffic_light"), key=lambda light: light.id)


def approach(world: Any, light: Any, metres: float) -> Any:
    """A place on the lane that a light is for, so far before its trigger's middle."""
    middle = light.get_transform().transform(light.trigger_volume.location)
    (place,) = world.get_map().get_waypoint(middle).previous(metres)
    return place.transform


def test_lights_follow_the_plans_of_the_map_on_the_server_s_clock(alone: Any) -> None:
    world = synchronous(alone, 0.5)
    lights = lights_of(world)
    text = world.get_map().to_opendrive()
    graph = lane_graph(text, "asked")
    plans = {graph.signal_ids[g]: signal_plans(graph)[g] for g, k in enumerate(graph.signal_types) if k in LIGHTS}
    assert sorted(light.get_opendrive_id() for light in lights) == sorted(map(str, plans))
    world.reset_all_traffic_lights()
    seen: Counter[Any] = Counter()
    for n in range(1, 61):
        world.tick()
        for light in lights:
            expected = light_state(plans[light.get_opendrive_id()], n * 500)
            assert int(light.get_state()) == expected
            seen[light.get_state()] += 1
    assert set(seen) == {RED, YELLOW, GREEN}


def test_a_light_s_trigger_lies_on_the_lane_that_it_stops(alone: Any) -> None:
    world = synchronous(alone)
    for light in lights_of(world):
        middle = light.get_transform().transform(light.trigger_volume.location)
        lane = world.get_map().get_waypoint(middle)
        assert lane.transform.location.distance(middle) < 1.6
        assert not lane.is_junction
        assert any(after.is_junction for after in lane.next(10.0))
        assert light.get_affected_lane_waypoints()


def test_one_light_is_switched_frozen_and_reset_and_the_others_are_not(alone: Any) -> None:
    world = synchronous(alone, 0.5)
    one, *others = lights_of(world)
    world.reset_all_traffic_lights()
    world.tick()
    before = [light.get_state() for light in others]
    one.set_state(YELLOW)
    world.tick()
    assert one.get_state() == YELLOW
    one.set_yellow_time(2.0)
    one.set_red_time(1.0)
    one.set_green_time(3.0)
    shown = []
    for _ in range(24):
        world.tick()
        shown.append(one.get_state())
    assert (one.get_green_time(), one.get_yellow_time(), one.get_red_time()) == (3.0, 2.0, 1.0)
    assert [shown[k : k + 12].count(s) for k in (0, 12) for s in (RED, GREEN, YELLOW)] == [2, 6, 4] * 2
    assert 0.0 <= one.get_elapsed_time() <= 3.0
    world.freeze_all_traffic_lights(True)
    world.tick()
    assert one.is_frozen()
    frozen = [light.get_state() for light in (one, *others)]
    ticks(world, 40)
    assert [light.get_state() for light in (one, *others)] == frozen
    one.set_state(GREEN)
    ticks(world, 40)
    assert one.get_state() == GREEN  # a light is switched while time stands still
    world.freeze_all_traffic_lights(False)
    world.reset_all_traffic_lights()
    world.tick()
    assert [light.get_state() for light in others] == before
    assert {light.id for light in one.get_group_traffic_lights()} <= {light.id for light in (one, *others)}


def test_a_picture_shows_the_state_that_a_light_was_set_to(alone: Any) -> None:
    world = synchronous(alone)
    light = lights_of(world)[0]
    world.freeze_all_traffic_lights(True)
    place = approach(world, light, 2.0)
    place.location.z = 1.5
    camera = spawned(world, "sensor.camera.rgb", place, image_size_x=320, image_size_y=240, fov=110)
    pictures: queue.Queue[Any] = queue.Queue()
    camera.listen(pictures.put)
    shown = {}
    for state in (RED, GREEN):
        light.set_state(state)
        frame = world.tick()
        while (image := pictures.get(timeout=20.0)).frame != frame:
            pass
        shown[state] = np.frombuffer(image.raw_data, np.uint8).reshape(240, 320, 4).astype(int)
    camera.stop()
    camera.destroy()
    change = shown[RED] - shown[GREEN]
    lit = abs(change).sum(2) > 60
    assert 1 <= lit.sum() < 2000
    assert change[..., 2].max() > 60 and change[..., 1].min() < -60  # a red lamp for a green one


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def drive_up_to_red(port: int) -> None:
    """A Traffic Manager's car stops before a red light and goes on when it is green."""
    alone = visited(port)
    world = synchronous(alone)
    light = lights_of(world)[0]
    world.freeze_all_traffic_lights(True)
    for each in lights_of(world):
        each.set_state(RED)
    start = approach(world, light, 30.0)
    actor = car(world, start)
    manager = alone.get_trafficmanager(_free_port())
    manager.set_synchronous_mode(True)
    actor.set_autopilot(True, manager.get_port())
    ticks(world, round(20.0 / DT))
    stood = actor.get_location()
    assert stood.distance(start.location) > 10.0
    assert actor.get_velocity().length() < 0.1
    assert actor.is_at_traffic_light() and actor.get_traffic_light().id == light.id
    assert actor.get_traffic_light_state() == RED
    middle = light.get_transform().transform(light.trigger_volume.location)
    assert stood.distance(middle) < 10.0
    light.set_state(GREEN)
    ticks(world, round(8.0 / DT))
    assert actor.get_location().distance(stood) > 8.0
    actor.set_autopilot(False, manager.get_port())
    world.tick()
    manager.shut_down()
    actor.destroy()
    world.freeze_all_traffic_lights(False)


def test_red_stops_a_vehicle_of_the_traffic_manager_and_green_lets_it_go(port: int) -> None:
    assert attended("tests.sim.carla.test_lights:drive_up_to_red", port) == "done"


def test_stop_lines_are_on_the_lanes_that_lead_into_the_junction_and_on_no_others(alone: Any) -> None:
    world = synchronous(alone)
    for light in lights_of(world):
        stops = light.get_stop_waypoints()
        assert stops
        assert all(any(after.is_junction for after in stop.next(10.0)) for stop in stops)
