"""Paints the ground of a map: an image pyramid seen from above, and a raster of surface classes.

The scene is classified on a canvas twice as fine as the image; coverages are averaged down, so that edges and
markings are smooth, and materials (`sim.road.map.materials`) are blended by coverage.  Kerbs come from distances
between classes, not from lanes, so that every map has them wherever a sidewalk meets the road.  Every random number is
seeded with the map's digest.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sim.datatypes.road_map import Ground, Junction
from sim.datatypes.vocabulary import DRIVABLE, SURFACE
from sim.road.map import markings, materials
from sim.road.map.rasterize import Canvas, classify
from sim.road.opendrive.reader import Network

MARGIN = 25.0  # [m] of verge around the roads
_LEVELS = 6
_SURFACE_TEXEL = 0.25
_TEXELS = (0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)  # [m] the finest with at most _MOST_TEXELS is used
_MOST_TEXELS = 3.2e6  # in level 0: 13 MB
_KERB = 0.2  # [m]
# How much rain darkens a material (alpha of the image), 0..255.
_WET = {"road": 255.0, "marking": 200.0, "pavement": 160.0, "verge": 12.0}


def paint_ground(network: Network, junctions: Sequence[Junction], digest: str) -> Ground:
    """Paint the ground of a network.

    Args:
        digest: hexadecimal; the seed of all random numbers.

    Raises:
        ValueError: for a map too large to paint.
    """
    canvas = _canvas(network)
    rng = np.random.default_rng(int(digest[:16], 16))
    picture = _paint(network, junctions, canvas, rng)
    levels = [picture]
    for _ in range(_LEVELS - 1):
        rows, columns = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA))
    rows, columns = (int(np.ceil(n * canvas.texel / _SURFACE_TEXEL - 1e-9)) for n in canvas.shape)
    surface = classify(network, Canvas(canvas.origin, _SURFACE_TEXEL, (rows, columns)))
    return Ground(canvas.origin.astype(np.float32), canvas.texel, tuple(levels), surface, _SURFACE_TEXEL)


def _canvas(network: Network) -> Canvas:
    """The grid of level 0: the lanes' bounding box plus MARGIN, divisible by every level's factor."""
    points = np.concatenate([lane.points[:, :2] for lane in network.lanes])
    origin = (points.min(0) - MARGIN).astype(np.float32).astype(np.float64)  # rounded as in Ground
    size = points.max(0) + MARGIN - origin
    texel = next((t for t in _TEXELS if size.prod() / t**2 < _MOST_TEXELS), None)
    if texel is None:
        raise ValueError(f"map {network.name} covers {size[0]:.0f} x {size[1]:.0f} m, too large to paint")
    block = 2 ** (_LEVELS - 1)
    rows, columns = (int(np.ceil(n / texel / block)) * block for n in size[::-1])
    return Canvas(origin, texel, (rows, columns))


def _paint(network: Network, junctions: Sequence[Junction], canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 4) uint8, the image of level 0."""
    fine = Canvas(canvas.origin, canvas.texel / 2, (canvas.shape[0] * 2, canvas.shape[1] * 2))
    classes = classify(network, fine)
    road_fine = np.isin(classes, DRIVABLE)
    pavement_fine = classes == SURFACE["pavement"]
    road, pavement = _down(road_fine, canvas), _down(pavement_fine, canvas)
    to_road = _distance(~road_fine, fine)
    kerb = _down(pavement_fine & (to_road < _KERB), canvas)
    edge = _down(road_fine & (_distance(~pavement_fine, fine) < 0.1), canvas)

    picture = materials.grass(canvas, rng)
    wet = np.full(canvas.shape, _WET["verge"], np.float32)
    _dirty_verge(picture, wet, canvas, _distance(~(road_fine | pavement_fine), fine), rng)

    tint, joint = markings.paint_slabs(network, fine, rng)
    lightness = (cv2.resize(tint, canvas.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) - 128.0) / 64.0
    paving = materials.slabs(canvas, lightness, _down(joint, canvas), rng)
    materials.blend(paving, materials.colour("kerb"), kerb / np.maximum(pavement, 1e-3) * (pavement > 0.0))
    materials.blend(picture, paving, pavement)
    wet += (_WET["pavement"] - wet) * pavement

    asphalt = _road(network, canvas, fine, rng)
    from_kerb = cv2.resize(_distance(road_fine, fine), canvas.shape[::-1], interpolation=cv2.INTER_AREA)
    grime = np.exp(-from_kerb / 0.35) * np.clip(0.55 + 0.3 * materials.noise(canvas, 1.5, rng), 0.0, 1.0)
    materials.blend(asphalt, np.array([82.0, 76.0, 66.0], np.float32), grime.astype(np.float32))
    materials.shade(asphalt, 1.0 - 0.45 * edge)
    materials.blend(picture, asphalt, road)
    wet += (_WET["road"] - wet) * road

    worn = np.clip(
        0.9 + 0.09 * materials.octave_noise(canvas, ((canvas.texel, 1.0), (0.4, 1.0), (3.0, 1.0)), rng), 0.45, 1.0
    )
    marks = markings.paint_markings(network, junctions, fine)
    for name, paint in (("white", (224.0, 224.0, 218.0)), ("yellow", (222.0, 172.0, 52.0))):
        mask = _down(marks[name], canvas) * road * worn
        materials.blend(picture, np.array(paint, np.float32), mask)
        wet += (_WET["marking"] - wet) * mask
    return np.dstack([np.clip(picture, 0.0, 255.0), np.clip(wet, 0.0, 255.0)]).round().astype(np.uint8)


def _road(network: Network, canvas: Canvas, fine: Canvas, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) asphalt with wheel tracks, repairs, cracks and covers."""
    picture = materials.asphalt(canvas, rng)
    tracks = _down(markings.paint_tracks(network, fine), canvas)
    materials.shade(picture, 1.0 - tracks * np.clip(0.10 + 0.03 * materials.noise(canvas, 6.0, rng), 0.0, 0.2))
    wear = markings.paint_wear(network, fine, rng)
    patch = _down(wear["patch"], canvas)
    fresh = np.array([74.0, 74.0, 77.0], np.float32) + 3.0 * materials.noise(canvas, 0.2, rng)[..., None]
    materials.blend(picture, fresh, 0.75 * patch)
    materials.shade(picture, 1.0 - 0.6 * _down(wear["seam"], canvas))
    materials.blend(picture, np.array([58.0, 56.0, 54.0], np.float32), 0.85 * _down(wear["iron"], canvas))
    return picture


def _dirty_verge(
    picture: np.ndarray, wet: np.ndarray, canvas: Canvas, distance: np.ndarray, rng: np.random.Generator
) -> None:
    """Paint bare earth along the edges of roads and sidewalks, in place."""
    near = cv2.resize(distance, canvas.shape[::-1], interpolation=cv2.INTER_AREA)
    ragged = near + 0.25 * materials.octave_noise(canvas, ((0.4, 0.6), (1.8, 0.8)), rng)
    bare = (1.0 - materials.smoothstep(ragged, 0.05, 0.65)) * 0.75
    materials.blend(picture, materials.colour("earth") * np.float32(0.92), bare)
    wet += 50.0 * bare


def _down(mask: np.ndarray, canvas: Canvas) -> np.ndarray:
    """(H, W) float32 coverage in 0..1 of a mask (boolean, or uint8 of 255) that is twice as fine as the canvas."""
    mask = mask.view(np.uint8) * np.uint8(255) if mask.dtype == bool else mask
    return cv2.resize(mask, canvas.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0


def _distance(outside: np.ndarray, canvas: Canvas) -> np.ndarray:
    """(H, W) float32 distance of every texel where `outside` holds to the nearest where it does not [m]."""
    return cv2.distanceTransform(outside.view(np.uint8), cv2.DIST_L2, 3) * np.float32(canvas.texel)
