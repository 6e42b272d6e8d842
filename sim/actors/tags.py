"""Semantic segmentation tags: CARLA's classes and colours for kinds of actors and surfaces."""

from __future__ import annotations

import numpy as np

from sim.actors.registry import ACTOR_KINDS
from sim.datatypes.vocabulary import SURFACES

TAGS: tuple[str, ...] = (
    "Unlabeled", "Roads", "SideWalks", "Building", "Wall", "Fence", "Pole", "TrafficLight", "TrafficSign",
    "Vegetation", "Terrain", "Sky", "Pedestrian", "Rider", "Car", "Truck", "Bus", "Train", "Motorcycle", "Bicycle",
    "Static", "Dynamic", "Other", "Water", "RoadLine", "Ground", "Bridge", "RailTrack", "GuardRail",
)  # fmt: skip
TAG: dict[str, int] = {name: i for i, name in enumerate(TAGS)}
# CARLA's CityScapes palette (LibCarla, image/CityScapesPalette.h), RGB by tag.
PALETTE = np.array(
    [(0, 0, 0), (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
     (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
     (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32), (110, 190, 160), (170, 120, 50),
     (55, 90, 80), (45, 60, 150), (157, 234, 50), (81, 0, 81), (150, 100, 100), (230, 150, 140), (180, 165, 180)],
    np.uint8,
)  # fmt: skip
_OF_SURFACE = {"road": "Roads", "junction": "Roads", "shoulder": "Roads", "parking": "Roads", "pavement": "SideWalks"}
TAG_OF_KIND = np.array([TAG["Unlabeled"], *(TAG[kind.tag] for kind in ACTOR_KINDS.values())], np.uint8)
PAINT = 150  # red of a ground texel that is half covered by white or yellow paint: asphalt has about 85, paint 223
PAINTED = 128  # the bit of a ground code that marks paint
KERB = 0.2  # [m] this close to ground that is not drivable nothing counts as paint: kerbs are as bright
TAG_OF_CODE = np.full(256, TAG["RoadLine"], np.uint8)  # by ground code (`sim.road.map.surface.SurfaceRaster`)
TAG_OF_CODE[: len(SURFACES)] = [TAG[_OF_SURFACE.get(s, "Terrain")] for s in SURFACES]
