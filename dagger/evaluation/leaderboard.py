"""leaderboard.json: a suite's rows in the results layout of the CARLA Leaderboard 2.0, for tools that read it.

Scores are those of 2.0. An episode is a route; twins, which are experiments and not routes, are left out. Statuses are
the leaderboard's where it has one ("Completed" never occurs: every infraction here ends its route, so an arrival is
"Perfect"); a collision and leaving the road end a route here and have statuses of their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagger.evaluation.plan import FAILED
from dagger.evaluation.summary import METRICS, EpisodeResult, score
from sim.core.files import atomic_path
from sim.metrics.episode import INFRACTIONS, per_km

LABELS = {
    "collisions_pedestrian": "Collisions with pedestrians", "collisions_vehicle": "Collisions with vehicles",
    "collisions_layout": "Collisions with layout", "red_light": "Red lights infractions",
    "stop_infraction": "Stop sign infractions", "outside_route_lanes": "Off-road infractions",
    "route_dev": "Route deviations", "route_timeout": "Route timeouts", "vehicle_blocked": "Agent blocked",
    "yield_emergency_vehicle_infractions": "Yield emergency vehicles infractions",
    "scenario_timeouts": "Scenario timeouts", "min_speed_infractions": "Min speed infractions",
}  # fmt: skip
MESSAGES = {
    "collisions_layout": "Agent collided against the layout of the world",
    "collisions_pedestrian": "Agent collided against a pedestrian",
    "collisions_vehicle": "Agent collided against a vehicle",
    "red_light": "Agent ran a red light",
    "stop_infraction": "Agent ran a stop sign",
    # The leaderboard's own scripts take the metres from the ninth word of this sentence.
    "outside_route_lanes": "Agent went outside its route lanes for about 0.0 meters (0.0% of the completed route)",
    "route_dev": "Agent deviated from the route",
    "route_timeout": "Route timeout.",
}
STATUS = {"collision": "Failed - Agent collided", "off_road": "Failed - Agent left the road",
          "timeout": "Failed - Agent timed out"}  # fmt: skip
SCORE_NAMES = {"score_route": "route_completion", "score_penalty": "penalty", "score_composed": "driving_score"}


@dataclass(frozen=True)
class Routes:
    """The episodes of one evaluation task.

    town: the leaderboard's name of its map; route: its id, if all episodes are one route.
    """

    scenario: str
    split: str
    town: str
    rows: Sequence[EpisodeResult]
    route: str | None = None


def status_of(row: EpisodeResult) -> str:
    """The status of a route's record."""
    if row.outcome in FAILED:
        return "Failed - Simulation crashed" if row.outcome == "skipped" else "Failed - Agent crashed"
    if "route_dev" in row.infractions:
        return "Failed - Agent deviated from the route"
    return "Perfect" if row.outcome == "arrived" else STATUS.get(row.outcome, "Failed")


def records(routes: Iterable[Routes]) -> Iterator[dict[str, Any]]:
    """Yield a record per episode, in order; repetitions of an episode share a route number."""
    index, before = 0, 0
    for part in routes:
        seeds = {seed: before + i for i, seed in enumerate(dict.fromkeys(r.seed for r in part.rows if r.twin is None))}
        for place, row in enumerate(r for r in part.rows if r.twin is None):
            found: dict[str, list[str]] = {kind: [] for kind in INFRACTIONS}
            for kind in row.infractions:
                found[kind].append(MESSAGES[kind])
            yield {
                "index": index,
                "route_id": f"RouteScenario_{seeds[row.seed]}_rep{row.repetition}"
                if part.route is None else f"RouteScenario_{part.route}_rep{place}",
                "scenario_name": part.scenario, "weather_id": part.split, "town_name": part.town,
                "save_name": f"{part.scenario}_{part.split}_{row.seed}_rep{row.repetition}", "status": status_of(row),
                "num_infractions": len(row.infractions), "infractions": found,
                "scores": {name: score(row, ours) for name, ours in SCORE_NAMES.items()},
                "meta": {"route_length": row.route_length, "duration_game": _duration(row),
                         "duration_system": round(row.wall, 3)},
            }  # fmt: skip
            index += 1
        before += len(seeds)


def _duration(row: EpisodeResult) -> float:
    duration = row.metrics[METRICS.index("duration")]
    return round(duration, 3) if math.isfinite(duration) else 0.0


def global_record(all_records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Means, standard deviations (of n - 1) and infractions per km, as `compute_global_statistics` has them."""
    sums = {name: [0.0, 0.0] for name in ("score_composed", "score_route", "score_penalty")}
    counts: dict[str, float] = dict.fromkeys(INFRACTIONS, 0)
    exceptions, length, game, system, covered, n = [], 0.0, 0.0, 0.0, 0.0, 0
    for record in all_records:
        n += 1
        for name, sum_ in sums.items():
            sum_[0] += record["scores"][name]
            sum_[1] += record["scores"][name] ** 2
        for kind in INFRACTIONS:
            counts[kind] += len(record["infractions"][kind])
        meta = record["meta"]
        length, game = length + meta["route_length"], game + meta["duration_game"]
        system += meta["duration_system"]
        covered += meta["route_length"] * record["scores"]["score_route"] / 100.0
        if record["status"].startswith("Failed"):
            exceptions.append([record["route_id"], record["index"], record["status"]])
    counts["outside_route_lanes"] = 0.0  # kilometres off the road, not events; leaving it ends a route here
    means = {name: s / n if n else 0.0 for name, (s, _) in sums.items()}
    return {
        "index": -1, "route_id": -1, "status": "Failed" if exceptions else "Perfect",
        "infractions": {kind: round(per_km(c, covered), 3) for kind, c in counts.items()},
        "scores_mean": {name: round(value, 6) for name, value in means.items()},
        "scores_std_dev": {
            name: round(math.sqrt(max(q - n * means[name] ** 2, 0.0) / (n - 1)), 3) if n > 1 else 0
            for name, (_, q) in sums.items()
        },
        "meta": {"total_length": round(length, 3), "duration_game": round(game, 3), "duration_system": round(system, 3),
                 "exceptions": exceptions},
    }  # fmt: skip


def write(path: Path, routes: Sequence[Routes], camera: bool) -> None:
    """Write leaderboard.json atomically; records are streamed, as there may be very many.

    Args:
        camera: whether the driver gets pictures.
    """
    total = sum(1 for _ in records(routes))
    overall = global_record(records(routes))
    values = [str(overall["scores_mean"][name]) for name in ("score_composed", "score_route", "score_penalty")]
    values += [str(overall["infractions"][kind]) for kind in LABELS]
    rest = {
        "entry_status": "Finished", "eligible": True,
        "sensors": ["carla_camera", "carla_speedometer"] if camera else [], "values": values,
        "labels": ["Avg. driving score", "Avg. route completion", "Avg. infraction penalty", *LABELS.values()],
    }  # fmt: skip
    with atomic_path(path) as temporary, temporary.open("w") as stream:
        stream.write(f'{{"_checkpoint": {{"global_record": {json.dumps(overall)}, "progress": [{total}, {total}], ')
        stream.write('"records": [\n')
        for i, record in enumerate(records(routes)):
            stream.write((",\n" if i else "") + json.dumps(record))
        stream.write("\n]}, " + json.dumps(rest)[1:] + "\n")
