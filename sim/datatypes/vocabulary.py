"""Vocabularies: the names of the integer codes in arrays, such as weather fields, outcomes and decisions."""

from __future__ import annotations

import numpy as np

# CARLA's WeatherParameters, in CARLA's wire order; percentages 0..100, angles in degrees as CARLA has them.
WEATHER_FIELDS: tuple[str, ...] = (
    "cloudiness", "precipitation", "precipitation_deposits", "wind_intensity", "sun_azimuth_angle",
    "sun_altitude_angle", "fog_density", "fog_distance", "fog_falloff", "wetness", "scattering_intensity",
    "mie_scattering_scale", "rayleigh_scattering_scale", "dust_storm",
)  # fmt: skip
WEATHER_INDEX: dict[str, int] = {name: i for i, name in enumerate(WEATHER_FIELDS)}
# Classes of ground (`Ground.surface`); vehicles may drive on the DRIVABLE ones.
SURFACES: tuple[str, ...] = ("offmap", "road", "junction", "shoulder", "parking", "pavement", "verge")
SURFACE: dict[str, int] = {name: i for i, name in enumerate(SURFACES)}
DRIVABLE: tuple[int, ...] = (SURFACE["road"], SURFACE["junction"], SURFACE["shoulder"], SURFACE["parking"])
OUTCOMES: tuple[str, ...] = ("running", "arrived", "collision", "off_road", "timeout", "deviated")
OUTCOME: dict[str, int] = {name: i for i, name in enumerate(OUTCOMES)}
# The decisions of a driver; `Route.decision` and `World.shown_decision` are indices into this.
# First the turns at a junction, then decisions without a turn, then numbered choices, then two turns in a row. The
# numbers are stored in demonstrations: later words are appended.
TURNS: tuple[str, ...] = ("left", "right", "straight")
DECISIONS: tuple[str, ...] = (
    *TURNS,
    "go", "wait", "stop", "yield", "slow", "early", "late",
    *(f"{thing} {number}" for thing, most in (("exit", 4), ("bay", 6), ("lane", 3), ("place", 4))
      for number in range(1, most + 1)),
    *(f"{first} then {second}" for first in TURNS for second in TURNS),
    "gap 1", "gap 2", "gap 3",
)  # fmt: skip
DECISION: dict[str, int] = {name: i for i, name in enumerate(DECISIONS)}
UNDECIDED = -1  # no decision: in `World.shown_decision` until one shows, in `World.scripted_turn` without a turn
NO_PATH = -1  # no path: in `World.path`, `World.route` and `RouteFollowers.path`
ROUTE_SPACING = np.float32(0.5)  # [m] between neighbouring points of every `sim.datatypes.road_map.Path`
# The fields of a World that hold one integer per world.
PER_WORLD: tuple[str, ...] = (
    "tick", "seed", "map", "outcome", "shown_decision", "time_limit", "clock", "collided_with", "red_lights",
    "stop_signs", "stopped_at_line",
)  # fmt: skip
