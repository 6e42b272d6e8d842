"""Concatenates the maps of a batch of worlds into flat arrays that kernels can index."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from sim.datatypes.road_map import MapArrays, Path, RoadMap, Route
from sim.datatypes.vocabulary import ROUTE_SPACING
from sim.road.graph.lane_graph import lane_graph
from sim.road.map.lane_arrays import DrivableLanes, LaneArrays, check_capacity, concatenate, drivable_lanes
from sim.road.map.light_poles import light_rows
from sim.road.map.obstacle_grid import ObstacleGrid, obstacle_grid
from sim.road.map.route_attributes import RouteControls, path_limits
from sim.road.map.stop_lines import stop_lines_along
from sim.road.map.surface import SurfaceRaster, surface_codes

_SIGNAL = "<signal "  # part of every OpenDRIVE text with signs or lights


def _offsets(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


class MapBatch:
    """The maps of a batch of worlds, and the numbers of their paths. Maps are added and never removed.

    What is derived from them (`arrays`, `roads`, `surface_raster`, `route_controls`) is computed when it is first read
    after an addition, and is read-only.
    """

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self.maps: list[RoadMap] = []
        self._paths: list[Path] = []
        self._routes: list[tuple[float, float, int]] = []
        self._path_index: dict[tuple[str, Hashable], int] = {}
        self._lights: dict[str, np.ndarray] = {}
        self._gates: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._grids: dict[str, ObstacleGrid] = {}
        self._arrays: MapArrays | None = None
        self._streets: dict[int, DrivableLanes] = {}
        self._roads: LaneArrays | None = None
        self._map_of_path: list[int] = []
        self._surface_codes: list[np.ndarray] = []  # of every map, as far as they were computed
        self._surface_raster: SurfaceRaster | None = None
        self._limits: dict[int, np.ndarray] = {}  # path -> speed limits, of the paths that were asked for
        self._route_controls: RouteControls | None = None

    def link_lanes(self, road_map: RoadMap) -> int:
        """Add the lanes of a map for traffic, and the map where it is new; returns the map's number.

        Raises:
            ValueError: for a map without driving lanes, or one on which vehicles would meet head on.
        """
        m = self.add(road_map)
        if m not in self._streets:
            streets = drivable_lanes(road_map.opendrive, road_map.name)
            check_capacity(streets, road_map.name)
            self._streets[m] = streets
            self._roads = None
        return m

    @property
    def roads(self) -> LaneArrays:
        """The lanes of every map added by `link_lanes`, as flat arrays; a lane keeps its number when maps are added."""
        if self._roads is None or len(self._roads.lanes_of_map) != len(self.maps):
            self._roads = concatenate(self._streets, len(self.maps))
        return self._roads

    def add(self, road_map: RoadMap) -> int:
        """The number of a map; adds the map where it is new."""
        if road_map.digest not in self._index:
            self._index[road_map.digest] = len(self.maps)
            self.maps.append(road_map)
            self._arrays = self._surface_raster = None
        return self._index[road_map.digest]

    def path(self, road_map: RoadMap, path: Path, route: Route | None = None, name: Hashable = None) -> int:
        """The number of a path (a route's, or an arm's lane) of a map; adds the path where it is new.

        Args:
            name: identifies the path among the map's paths, such as the keypoints that it was planned through; without
                one, the same array object is the same path.
        """
        m = self.add(road_map)
        key = (road_map.digest, id(path.points) if name is None else name)
        if key not in self._path_index:
            if len(path.points) < 2:
                raise ValueError(f"a path of map {road_map.name} has {len(path.points)} points; at least 2 are needed")
            self._path_index[key] = len(self._paths)
            self._paths.append(path)
            self._map_of_path.append(m)
            ends = (route.junction_in, route.junction_out, route.decision) if route else (0.0, 0.0, -1)
            self._routes.append(ends)
            none = np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32)
            guarded = route is not None and _SIGNAL in road_map.opendrive
            self._gates.append(
                stop_lines_along(path.points, drivable_lanes(road_map.opendrive, road_map.name)) if guarded else none
            )
            self._arrays = self._route_controls = None
        return self._path_index[key]

    @property
    def arrays(self) -> MapArrays:
        """All maps and paths as flat arrays."""
        if self._arrays is None:
            self._arrays = self._lay_out()
        return self._arrays

    @property
    def surface_raster(self) -> SurfaceRaster:
        """The surface class of every texel of the maps' ground images; computed once a map."""
        if self._surface_raster is None:
            self._surface_codes += [surface_codes(m.ground) for m in self.maps[len(self._surface_codes) :]]
            self._surface_raster = SurfaceRaster.of(self._surface_codes, self.arrays)
        return self._surface_raster

    def route_controls(self, routes: np.ndarray) -> RouteControls:
        """Traffic controls along all paths, and the speed limits of the paths in `routes`; computed once a path.

        Args:
            routes: numbers of paths, of any shape; -1 is none.
        """
        routes, known = routes[routes >= 0], self._route_controls
        if known is None or not known.done[routes].all():
            for q in set(routes.tolist()) - self._limits.keys():
                self._limits[q] = path_limits(path_points(self.arrays, q), self.maps[self._map_of_path[q]])
            known = self._route_controls = RouteControls.of(self._limits, self.arrays)
        return known

    def _standing(self, road_map: RoadMap) -> np.ndarray:
        """(K, 8) a map's scenery, then its traffic lights; the lane graph is built only for a map with signals."""
        scenery = road_map.scenery.reshape(-1, 8)
        if _SIGNAL not in road_map.opendrive:
            return scenery
        if road_map.digest not in self._lights:
            self._lights[road_map.digest] = light_rows(lane_graph(road_map.opendrive, road_map.name), road_map.ground)
        return np.concatenate([scenery, self._lights[road_map.digest]])

    def _grid(self, road_map: RoadMap, standing: np.ndarray) -> ObstacleGrid:
        """The static obstacles of a map."""
        if road_map.digest not in self._grids:
            self._grids[road_map.digest] = obstacle_grid(standing)
        return self._grids[road_map.digest]

    def _lay_out(self) -> MapArrays:
        depth = max((len(m.ground.levels) for m in self.maps), default=1)
        level_start = np.full((len(self.maps), depth), -1, np.int64)
        level_shape = np.zeros((len(self.maps), depth, 2), np.int32)
        texels: list[np.ndarray] = []
        row = 0
        for i, road_map in enumerate(self.maps):
            for j, level in enumerate(road_map.ground.levels):
                level_start[i, j] = row
                level_shape[i, j] = level.shape[:2]
                texels.append(level.reshape(-1, 4))
                row += texels[-1].shape[0]
        grounds = [m.ground for m in self.maps]
        scenery = [self._standing(m) for m in self.maps]
        routes = np.array(self._routes, np.float32).reshape(-1, 3)
        grids = [self._grid(m, rows) for m, rows in zip(self.maps, scenery)]
        gates = self._gates
        none = np.zeros(0, np.int32)
        return MapArrays(
            texels=np.concatenate(texels) if texels else np.zeros((0, 4), np.uint8),
            level_start=level_start,
            level_shape=level_shape,
            ground_origin=np.array([g.origin for g in grounds], np.float32).reshape(-1, 2),
            ground_texel=np.array([g.texel for g in grounds], np.float32),
            surface=np.concatenate([g.surface.ravel() for g in grounds]) if grounds else np.zeros(0, np.uint8),
            surface_start=_offsets([g.surface.size for g in grounds])[:-1],
            surface_shape=np.array([g.surface.shape for g in grounds], np.int32).reshape(-1, 2),
            surface_texel=np.array([g.surface_texel for g in grounds], np.float32),
            scenery=np.concatenate(scenery or [np.zeros((0, 8))]),
            scenery_start=_offsets([len(rows) for rows in scenery]),
            skyline=np.array([m.skyline for m in self.maps], np.float32).reshape(-1, 512),
            points=np.concatenate([p.points for p in self._paths] or [np.zeros((0, 4))]).astype(np.float32),
            path_start=_offsets([len(p.points) for p in self._paths]),
            junction_in=np.ascontiguousarray(routes[:, 0]),
            junction_out=np.ascontiguousarray(routes[:, 1]),
            decision=routes[:, 2].astype(np.int32),
            gate_start=_offsets([len(s) for s, _, _ in gates]),
            gate_s=np.concatenate([np.zeros(0, np.float32), *(s for s, _, _ in gates)]),
            gate_kind=np.concatenate([none, *(kind for _, kind, _ in gates)]),
            gate_plan=np.concatenate([none, *(plan for _, _, plan in gates)]),
            cell_first=_offsets([len(g.start) - 1 for g in grids])[:-1],
            cell_shape=np.array([g.shape for g in grids], np.int32).reshape(-1, 2),
            cell_origin=np.array([g.origin for g in grids], np.float32).reshape(-1, 2),
            **_cells(grids),
        )


def _cells(grids: Sequence[ObstacleGrid]) -> dict[str, np.ndarray]:
    """The obstacles of all maps, concatenated."""
    items = _offsets([len(g.items) for g in grids])
    rows = _offsets([len(g.boxes) for g in grids])
    return {
        "cell_start": np.concatenate([[0], *(g.start[1:] + first for g, first in zip(grids, items))]).astype(np.int32),
        "cell_items": np.concatenate([[], *(g.items + first for g, first in zip(grids, rows))]).astype(np.int32),
        "boxes": np.concatenate([np.zeros((0, 6), np.float32), *(g.boxes for g in grids)]),
        "box_kind": np.concatenate([np.zeros(0, np.int32), *(g.kind for g in grids)]),
    }


def start_distance(junction_in: Sequence[float], wanted: float) -> float:
    """The distance before the junction at which ego starts [m]: `wanted`, or less where its shortest route is shorter.

    Args:
        junction_in: distance along each route that ego may take at which the junction begins [m].
    """
    return min(wanted, float(min(junction_in)) - 1.0)


def path_points(bank: MapArrays, path: int) -> np.ndarray:
    """(K, 4) points of path number `path`, spaced ROUTE_SPACING apart."""
    return bank.points[bank.path_start[path] : bank.path_start[path + 1]]


def path_length(bank: MapArrays, path: int) -> float:
    """Length of path number `path` [m]."""
    return float((bank.path_start[path + 1] - bank.path_start[path] - 1) * ROUTE_SPACING)
