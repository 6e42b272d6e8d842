"""RPC methods of the CARLA server; importing the package registers them."""

from sim.carla.server.methods import (  # noqa: F401
    actors,
    batch,
    debug,
    queries,
    traffic_lights,
    vehicles,
    walkers,
    world,
)
