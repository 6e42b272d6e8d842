"""Renders a film of every reasoning family, a world beside its twin, and a sheet of key moments of all.

    python benchmarks/families.py                        # all of the library: docs/films/, docs/images/families.jpg
    python benchmarks/families.py rain-turn --out /folder/for/a/look

The expert drives both worlds, which differ in one proposition. A chip lights up when the expert knows that its
proposition holds. Long episodes are played faster, and a film is made smaller until its file is small enough.
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dagger.report.scenario_pages import rule_in_short
from policies.expert.expert import Expert
from policies.expert.monitor import RuleAnnotator
from scenarios.rules.ast import names
from scenarios.sampling.sample import decision, sample, slots_needed, twin, valuation
from scenarios.scenario import Scenario, load_scenario, scenario_names
from sim.actors.registry import KIND
from sim.datatypes.camera import Camera
from sim.datatypes.episode import Episode
from sim.datatypes.vocabulary import DECISIONS, OUTCOMES, UNDECIDED, WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.render.rgb import render
from sim.viz.markers import boxes_of, lamps_of
from sim.viz.top_down import FAINT, INK, PAPER, Line, Text, rounded_box, text_width, top_down
from sim.viz.top_down import write as lettered
from sim.viz.video import NO, PALE, WHITE, YES, fitted, wrapped
from sim.viz.viewport import Viewport
from sim.world.embedded import EmbeddedWorld
from sim.world.rollout import observe_for

DOCS = Path(__file__).parent.parent / "docs"
CHASE = Camera(width=352, height=198, fov=72.0, forward=-7.5, up=3.4, pitch=-8.0)  # behind ego and above it
OURS = 0xD9482B  # colour of ego, which its own camera never sees
COLUMN, EDGE, SMALL = CHASE.width, 10, (144, 96)  # [px] of a world, between all, and of what its learner sees
ABOVE = (COLUMN - SMALL[0] - EDGE, SMALL[1])  # [px] of the map
SPAN = 46.0  # [m] of it, along ego's way
LONGEST, FPS, HOLD = 10.0, 5, 1.5  # [s] of a film before it holds its last picture; pictures a second; [s]
MOST = 400_000  # bytes of a film
LINES = 9  # of text beside a family's moments
SEEDS = 40  # among which the clearest is chosen
BRIGHT, CLEAR = 6.0, 8.0  # [degrees] of the sun above, and [%] of fog below which a picture is easy to read
# Which proposition is flipped where the first that flips the decision is not the clearest, and in which seed (-1: any).
CHOSEN: dict[str, tuple[str, int]] = {"raging-driver": ("cut_in", -1), "gap-acceptance": ("wet", -1)}


@dataclass(frozen=True)
class Moment:
    """One tick of one world.

    Args:
        time: [s]; speed: [m/s]; road, seen, above: pictures; facts: as known; wanted, taken: decisions; outcome: out
            of OUTCOMES.
    """

    time: float
    speed: float
    road: np.ndarray
    seen: np.ndarray
    above: np.ndarray
    facts: dict[str, bool]
    wanted: str
    taken: str
    outcome: str


# ------------------------------------------------------------------------------------------------- which worlds
def pair_of(scenario: Scenario) -> tuple[str, Episode, Episode]:
    """A proposition, and an episode and its twin in it with other decisions of the rule; bright and clear if possible.

    Raises:
        ValueError: where no proposition of the rule changes the decision.
    """
    proposition, seed = CHOSEN.get(scenario.name, ("", -1))
    asked = [proposition] if proposition else names(scenario.rule)
    found: list[tuple[int, str, Episode, Episode]] = []
    for name in asked:
        for s in [seed] if seed >= 0 else range(SEEDS):
            episode = sample(scenario, s, "test")
            try:
                other = twin(scenario, episode, name)
            except ValueError:
                continue
            if decision(scenario, episode) == decision(scenario, other):
                continue
            if valuation(scenario, other)[name]:  # first the world in which it holds
                episode, other = other, episode
            found.append((_dim(episode) + _dim(other), name, episode, other))
        if found:
            break
    if not found:
        raise ValueError(f"no twin of {scenario.name} in {asked} decides otherwise")
    _, name, episode, other = min(found, key=lambda row: row[0])
    return name, episode, other


def _dim(episode: Episode) -> int:
    """The number of conditions that make an episode hard to see."""
    weather = episode.weather
    return (weather.sun_altitude_angle < BRIGHT) + (weather.fog_density > CLEAR) + (weather.precipitation > 0)


# ----------------------------------------------------------------------------------------------------- pictures
def with_ourselves(world: World) -> World:
    """The world with a copy of ego in a slot of its own, so that a camera behind it has it in view."""
    fields = world._asdict()
    slots = world.kind.shape
    for name, array in fields.items():
        if array.shape == slots and name != "weather" and not name.startswith("route"):
            fields[name] = np.concatenate([array, array[:, :1]], 1)
    fields["kind"][:, -1], fields["appearance"][:, -1] = KIND["car"], OURS
    return World(**fields)


def watched(scenario: Scenario, episode: Episode) -> Iterator[Moment]:
    """Every tick of an episode that the expert drives."""
    backend = EmbeddedWorld(1, None, slots_needed(scenario))
    backend.reset([episode])
    expert = Expert.of(scenario)
    onlooker, memory = RuleAnnotator(expert, backend), expert.begin(1)
    world, tick, maps = backend.world, backend.simulation.tick, backend.maps
    road_map = maps.maps[int(world.map[0])]
    trail: list[tuple[float, float]] = []
    heading, ahead = float(world.yaw[0, 0]), 0.22 * SPAN
    while True:
        x, y = float(world.x[0, 0]), float(world.y[0, 0])
        trail.append((x, y))
        centre = (x + ahead * math.cos(heading), y + ahead * math.sin(heading))
        window = Viewport(centre, SPAN, *ABOVE, heading + 0.5 * math.pi)  # ego comes from the left
        wet = float(world.weather[0, WEATHER_INDEX["wetness"]]) / 100
        above = top_down(road_map, window, boxes_of(world, 0), [Line(np.array(trail))], wet,
                         lamps=lamps_of(maps.arrays, world, 0))  # fmt: skip
        outcome = OUTCOMES[int(world.outcome[0])]
        yield Moment(
            int(world.tick[0]) * tick, float(world.speed[0, 0]), render(maps.arrays, with_ourselves(world), CHASE)[0],
            backend.observe().camera[0], above, dict(onlooker.facts(world)), onlooker.wanted(world),
            "" if world.shown_decision[0] == UNDECIDED else DECISIONS[int(world.shown_decision[0])], outcome,
        )  # fmt: skip
        if outcome != "running":
            return
        action, memory = expert.act(observe_for(backend, "state", np.zeros(1, int)), memory)  # type: ignore[arg-type]
        backend.step(action)


def column(moment: Moment, said: str, size: tuple[int, int]) -> np.ndarray:
    """One world: what differs in it, the road, the learner's view, the map, what is known, what is decided.

    Args:
        said: caption of this world; size: height and width of the page [px].
    """
    page = np.full((*size, 3), PAPER, np.uint8)
    texts = [
        Text(said, 0, 13, 13, INK, bold=True),
        Text(f"{moment.speed * 3.6:.0f} km/h  ·  {moment.time:.1f} s", COLUMN, 13, 12, INK, anchor="rs"),
    ]
    top = 20
    page[top : top + CHASE.height, :COLUMN] = moment.road
    low = top + CHASE.height + EDGE
    page[low : low + SMALL[1], : SMALL[0]] = cv2.resize(moment.seen, SMALL, interpolation=cv2.INTER_NEAREST)
    page[low : low + ABOVE[1], COLUMN - ABOVE[0] :] = moment.above
    x, y = 0, low + SMALL[1] + EDGE
    for name, value in moment.facts.items():
        words = name.replace("_", " ")
        wide = round(text_width(words, 12, value)) + 18
        if x + wide > COLUMN:
            x, y = 0, y + 26
        rounded_box(page, (x, y), (wide, 22), 11, YES if value else PALE, 0.95 if value else 1.0)
        texts.append(Text(words, x + 9, y + 11.5, 12, WHITE if value else FAINT, bold=value, anchor="lm"))
        x += wide + 6
    colour = INK if not moment.taken else YES if moment.taken == moment.wanted else NO
    rounded_box(page, (0, size[0] - 30), (COLUMN, 28), 10, colour, 0.85)
    words = f"thinks: {moment.wanted}" + (f"   ·   shows: {moment.taken}" if moment.taken else "")
    texts.append(Text(words, COLUMN / 2, size[0] - 16, 14, WHITE, bold=True, anchor="mm"))
    return lettered(page, texts)


def said_of(proposition: str, holds: bool) -> str:
    """The caption of one world of a pair."""
    name = proposition.replace("_", " ")
    return f"a world with {name}" if holds else f"its twin without {name}"


def rows_of(count: int) -> int:
    """The most rows of chips that so many propositions take."""
    return 1 + (count > 4)


def film(scenario: Scenario, proposition: str, pair: Sequence[Sequence[Moment]]) -> list[np.ndarray]:
    """The frames of a pair's film, FPS a second."""
    width = 2 * COLUMN + 3 * EDGE
    definitions = scenario.data.get("where", {})
    lines = [f"rule: {' '.join(str(scenario.data['rule']).split())}"]
    lines += [f"{name}: {text}" for name, text in definitions.items()]
    lines = [part for line in lines for part in wrapped(line, 13, width - 2 * EDGE)]
    head = 34 + 18 * len(lines) + 4
    tall = 20 + CHASE.height + EDGE + SMALL[1] + EDGE + 26 * rows_of(len(scenario.propositions)) + 34
    longest = max(len(moments) for moments in pair) / 10
    fast = max(1.0, longest / LONGEST)
    pictures = []
    for k in range(math.ceil(longest / fast * FPS) + 1):
        page = np.full((head + tall + EDGE, width, 3), PAPER, np.uint8)
        for side, moments in enumerate(pair):
            moment = moments[min(round(k / FPS * fast * 10), len(moments) - 1)]
            x = EDGE + side * (COLUMN + EDGE)
            said = said_of(proposition, side == 0)
            page[head : head + tall, x : x + COLUMN] = column(moment, said, (tall, COLUMN))
        texts = [Text(scenario.name, EDGE, 24, 18, INK, bold=True)]
        pace = "" if fast < 1.05 else f"{fast:.1f} times as fast"
        texts += [Text(pace, width - EDGE, 24, 12, FAINT, anchor="rs")] if pace else []
        texts += [Text(line, EDGE, 44 + 18 * i, 13, INK) for i, line in enumerate(lines)]
        pictures.append(lettered(page, texts))
    return pictures


def write_small(path: Path, pictures: Sequence[np.ndarray]) -> str:
    """Write an animated WebP of at most MOST bytes, in as good a quality and as large as that allows.

    Raises:
        ValueError: where even the worst is too large.
    """
    for share in (1.0, 0.85, 0.7, 0.6, 0.5):
        small = [Image.fromarray(p).resize((round(p.shape[1] * share), round(p.shape[0] * share)), Image.LANCZOS)
                 if share < 1 else Image.fromarray(p) for p in pictures]  # fmt: skip
        for quality in (45, 25, 12):
            durations = [round(1000 / FPS)] * (len(small) - 1) + [round(1000 * HOLD)]
            data = io.BytesIO()
            small[0].save(data, "WEBP", save_all=True, append_images=small[1:], duration=durations, loop=0,
                          quality=quality, method=4, minimize_size=False)  # fmt: skip
            if data.tell() <= MOST:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data.getvalue())
                return (
                    f"{path}  {small[0].width} x {small[0].height}  {len(small)} pictures  {data.tell() / 1000:.0f} kB"
                )
    raise ValueError(f"film {path.name} takes {data.tell()} bytes at its worst; wanted at most {MOST}")


# -------------------------------------------------------------------------------------------------------- sheet
def key_moments(moments: Sequence[Moment]) -> list[tuple[str, Moment]]:
    """Four moments of an episode with a word each: its start, when the last fact was known, the decision, the end."""
    shown = next((i for i, m in enumerate(moments) if m.taken), len(moments) - 1)
    changed = [i for i in range(1, shown + 1) if moments[i].facts != moments[i - 1].facts]
    knows = changed[-1] if changed else shown // 2
    news = [n for n, v in moments[knows].facts.items() if v and not moments[knows - 1].facts.get(n, False)]
    told = f"knows: {', '.join(news)}" if news else f"thinks: {moments[knows].wanted}"
    return [
        ("sets out", moments[0]),
        (told.replace("_", " "), moments[knows]),
        (f"shows: {moments[shown].taken}", moments[shown]),
        (moments[-1].outcome, moments[-1]),
    ]


def sheet_row(scenario: Scenario, moments: Sequence[Moment]) -> np.ndarray:
    """A family's row: its name and rule, and four moments with captions."""
    wide, tall, side = 264, round(264 * CHASE.height / CHASE.width), 250
    page = np.full((tall + 30, side + 4 * (wide + EDGE), 3), PAPER, np.uint8)
    texts = [fitted(scenario.name, EDGE, 22, 17, side - 2 * EDGE, INK, bold=True)]
    room = side - 2 * EDGE
    lines = [*wrapped(scenario.description, 12, room), "", *wrapped(rule_in_short(scenario), 12, room)]
    if len(lines) > LINES:
        lines[LINES - 1 :] = ["    ..."]
    texts += [Text(line, EDGE, 44 + 15 * i, 12, INK) for i, line in enumerate(lines)]
    for k, (words, moment) in enumerate(key_moments(moments)):
        x = side + k * (wide + EDGE)
        page[4 : 4 + tall, x : x + wide] = cv2.resize(moment.road, (wide, tall), interpolation=cv2.INTER_AREA)
        texts.append(fitted(f"{moment.time:.1f} s  {words}", x, tall + 20, 12, wide, INK))
    return lettered(page, texts)


# --------------------------------------------------------------------------------------------------------- main
def families(named: Sequence[str]) -> list[str]:
    """The scenarios to film: those named, or all of the library that need no map file."""
    if named:
        return list(named)
    return [name for name in scenario_names() if load_scenario(name).map.file is None]


def main() -> None:
    """Render the films and the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="names or files; all of the library when none is given")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of films/ and images/")
    options = parser.parse_args()
    rows = []
    for name in families(options.families):
        scenario = load_scenario(name)
        proposition, *pair = pair_of(scenario)
        driven = [list(watched(scenario, episode)) for episode in pair]
        print(write_small(options.out / "films" / f"{scenario.name}.webp", film(scenario, proposition, driven)))
        rows.append(sheet_row(scenario, driven[0]))
    path = options.out / "images" / "families.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows)).save(path, quality=82, optimize=True)
    print(f"{path}  {len(rows)} families  {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
