"""The sensors of a served world: a class for every sensor blueprint, by its id.

A sensor is made from its blueprint's attributes and refuses invalid ones. `number` is its number on the wire, None
where the client computes it by itself; `frames(world, actor)` returns the complete frames of a tick. Sensors without a
class here are in the blueprint library all the same: programs look up all of CARLA's sensors when they start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sim.carla.server.rpc import Refused
from sim.carla.server.sensors.cameras import DepthCamera, InstanceCamera, RgbCamera, SemanticCamera
from sim.carla.server.sensors.events import Collision, LaneInvasion, Obstacle
from sim.carla.server.sensors.lidars import Lidar, SemanticLidar
from sim.carla.server.sensors.optical_flow import OpticalFlowCamera
from sim.carla.server.sensors.radar import Radar
from sim.carla.server.sensors.states import Gnss, Imu

SENSORS: dict[str, Callable[[Mapping[str, str]], Any]] = {
    "sensor.camera.rgb": RgbCamera, "sensor.camera.depth": DepthCamera,
    "sensor.camera.semantic_segmentation": SemanticCamera, "sensor.camera.instance_segmentation": InstanceCamera,
    "sensor.camera.optical_flow": OpticalFlowCamera, "sensor.lidar.ray_cast": Lidar,
    "sensor.lidar.ray_cast_semantic": SemanticLidar, "sensor.other.radar": Radar, "sensor.other.gnss": Gnss,
    "sensor.other.imu": Imu, "sensor.other.collision": Collision, "sensor.other.obstacle": Obstacle,
    "sensor.other.lane_invasion": LaneInvasion,
}  # fmt: skip


def sensor_of(name: str, attributes: Mapping[str, str]) -> Any:
    """Return the sensor of a blueprint id, None for other blueprints.

    Raises:
        Refused: for invalid attributes, and for a sensor that has no class here.
    """
    if name in SENSORS:
        return SENSORS[name](attributes)
    if name.startswith("sensor."):
        raise Refused(f"{name} measures nothing here; of the sensors these do: {', '.join(SENSORS)}")
    return None
