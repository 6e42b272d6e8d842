"""A route planner over the map's topology, and an agent that drives what it has planned and waits at red."""

from __future__ import annotations

import itertools
import math
from typing import Any

import carla
import networkx

STEP = 2.0  # [m] between points of a route


class Planner:
    """Shortest ways over the lanes of a map, from its topology alone."""

    def __init__(self, town: Any) -> None:
        self.town, self.graph = town, networkx.DiGraph()
        for begin, end in town.get_topology():
            points, at = [begin], begin
            while at.transform.location.distance(end.transform.location) > STEP:
                after = at.next(STEP)
                if not after or len(points) > 500:
                    break
                at = after[0]
                points.append(at)
            points.append(end)
            self.graph.add_edge(self.key(begin), self.key(end), points=points, length=STEP * len(points))

    @staticmethod
    def key(waypoint: Any) -> tuple[int, int, int]:
        """Where a waypoint is, to the metre."""
        at = waypoint.transform.location
        return round(at.x), round(at.y), round(at.z)

    def way(self, begin: Any, end: Any) -> list[Any]:
        """Waypoints from one edge's beginning to another's end."""

        def far(a: tuple[int, ...], b: tuple[int, ...]) -> float:
            return math.hypot(a[0] - b[0], a[1] - b[1])

        nodes = networkx.astar_path(self.graph, self.key(begin), self.key(end), far, weight="length")
        return [p for a, b in itertools.pairwise(nodes) for p in self.graph.edges[a, b]["points"]]


def pedals(car: Any, target: Any, wanted: float) -> Any:
    """Steer for a point, at a speed [m/s]."""
    place = car.get_transform()
    offset = target - place.location
    yaw = math.atan2(offset.y, offset.x) - math.radians(place.rotation.yaw)
    turn = math.atan2(2.0 * 2.65 * math.sin(yaw), max(offset.length(), 1.0))
    most = math.radians(max(w.max_steer_angle for w in car.get_physics_control().wheels))
    speed = car.get_velocity().length()
    control = carla.VehicleControl(steer=max(-1.0, min(1.0, turn / most)))
    control.throttle = max(0.0, min(1.0, 0.5 * (wanted - speed)))
    control.brake = 1.0 if wanted == 0.0 else max(0.0, min(1.0, 0.3 * (speed - wanted)))
    return control


class Witness:
    """Somebody at the junctions, who asks the map and the lights and not the agent: who enters at red has run it."""

    def __init__(self, town: Any, car: Any) -> None:
        self.town, self.map, self.car = town, town.get_map(), car
        self.ran, self.entered = 0, 0
        self.light: Any = None  # that the lane leads to
        self.inside = False

    def look(self) -> None:
        """After a tick."""
        place = self.car.get_transform()
        nose = place.location + self.car.bounding_box.extent.x * place.get_forward_vector()
        lane = self.map.get_waypoint(nose)
        if lane.is_junction and not self.inside and self.light is not None:
            self.entered += 1
            self.ran += self.light.get_state() == carla.TrafficLightState.Red
        self.inside = lane.is_junction
        if self.inside:
            self.light = None
        elif signs := lane.get_landmarks_of_type(20.0, "1000001"):  # none once the nose is past the sign
            self.light = self.town.get_traffic_light(min(signs, key=lambda sign: sign.distance))


def drive(town: Any, route: list[Any], obeys: bool = True) -> tuple[int, int, float, Witness]:
    """Drive a route: which point of it was reached, ticks of waiting, how far beside it [m], and who saw it."""
    place = route[2].transform
    place.location.z = 0.3
    car = town.spawn_actor(town.get_blueprint_library().find("vehicle.lincoln.mkz_2020"), place)
    town.tick()
    witness, at, waited, strayed = Witness(town, car), 2, 0, 0.0
    closed = (carla.TrafficLightState.Red, carla.TrafficLightState.Yellow)
    for _ in range(6000):
        here = car.get_location()
        while at < len(route) - 1 and route[at].transform.location.distance(here) < 5.0:
            at += 1
        if at == len(route) - 1 and route[at].transform.location.distance(here) < 6.0:
            break
        stop = obeys and car.is_at_traffic_light() and car.get_traffic_light_state() in closed
        waited += stop and car.get_velocity().length() < 0.1
        car.apply_control(pedals(car, route[at].transform.location, 0.0 if stop else 5.0))
        near = route[max(at - 6, 0) : at + 1]
        strayed = max(strayed, min(p.transform.location.distance(here) for p in near))
        town.tick()
        witness.look()
    car.destroy()
    town.tick()
    return at, waited, strayed, witness


def test_a_planned_route_is_driven_to_its_end_and_every_red_light_is_waited_for(town: Any) -> None:
    planner = Planner(town.get_map())
    assert networkx.is_strongly_connected(planner.graph)
    edges = sorted(planner.graph.edges)
    begin = planner.graph.edges[edges[0]]["points"][0]
    ends = [planner.graph.edges[e]["points"][-1] for e in edges]
    farthest = max(ends, key=lambda p: p.transform.location.distance(begin.transform.location))
    route = planner.way(begin, farthest)
    assert len(route) * STEP > 100.0
    for light in town.get_actors().filter("traffic.traffic_light*"):
        light.set_state(carla.TrafficLightState.Red)
        light.set_red_time(8.0)
        light.set_green_time(4.0)
        light.set_yellow_time(2.0)
    at, waited, strayed, witness = drive(town, route)
    assert at == len(route) - 1, f"it got to point {at} of {len(route)}"
    assert strayed < 3.0
    assert witness.entered > 1 and waited > 20
    assert witness.ran == 0
    *_, witness = drive(town, route, obeys=False)
    assert witness.ran > 0, "who drives on at red is seen to, or this test sees nothing"
