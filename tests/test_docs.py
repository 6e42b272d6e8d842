"""The documentation is tested: code runs, scenarios load, commands are parsed or run, links lead somewhere.

The pages are README.md, CONTRIBUTING.md and docs/. A fenced block is checked by its language: `python` runs in an
interpreter of its own, `yaml` is a scenario, `yml` a file of options or a workflow (`tests/sim/carla/test_pages.py`),
`xml` is a route file, `console` is commands with their output, and a block without a language is command lines or the
drawing of the data flow. `tests/test_site.py` checks what is generated and how the site is put together.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dagger import cli
from dagger.commands.film import choose_cell
from dagger.evaluation.drivers import choose_driver
from dagger.evaluation.plan import entries_of
from dagger.options import flags_of
from policies.checkpoint import save_policy
from policies.learner import LearnerSettings, build
from probes.levels.registry import levels
from scenarios.checks.leak_check import check_leaks
from scenarios.rules.ast import names
from scenarios.sampling.leaderboard_routes import read_routes
from scenarios.sampling.sample import balanced_batch, cells, decision, twin, valuation
from scenarios.scenario import ALL_EPISODES, Scenario, from_text, load_scenario
from sim.datatypes.camera import Camera
from tests.support.source_tree import PACKAGES, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
README = PAGES[0].read_text()
LOG = DOCS / "explanation" / "log.md"  # keeps the names of its time
FLOW = "─▶"  # a block that has it is the drawing
PROGRAMS = ("dagger", "make", "python")
# Paths in prose that begin like this are made by runs and builds, or are no files.
MADE = ("runs", "results", "demonstrations", "checkpoints", "training", "homunculus", "site")
MADE_FILES = ("benchmarks/results/bench.json",)
UNITS = ("m", "km")  # and so does a unit such as m/s
PLACEHOLDER = re.compile(r"[\[<]|\b[A-Z]{3,}\b")  # `dagger run [OPTIONS]`, `dagger scenarios export NAME`
ROUTES, OPTIONS = "town.xml", "longer.yml"  # what pages call their route file and their file of options
# What is added to a command line so that it is over soon. Commands that are not here are parsed and not run.
SHORTER = {
    "scenarios": ("--no-leaks",),
    "scenarios export": (),
    "suite": ("--seeds", "2", "--worlds", "2", "--threads", "1"),
    "film": ("--size", "320x180"),
    "demos": ("--episodes", "2", "--threads", "1"),
    "--help": (),
}
FEW = 400  # episodes of the leak check: enough for a perfect clue and for chance
MIND = {"scenario": "rain-turn", "camera": vars(Camera())}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: where it begins, its language ("" for none), its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """README.md:12."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """docs/reference/maps.md."""
    return page.relative_to(ROOT).as_posix()


def _blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for m in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
            found.append(Block(page, text[: m.start()].count("\n") + 1, m.group(1), m.group(2)))
    return found


BLOCKS = _blocks()


def of(language: str) -> list[Any]:
    """The blocks of a language, as parameters of a test that bear their places."""
    return [pytest.param(b, id=b.place) for b in BLOCKS if b.language == language]


def _prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def _spans(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", _prose(page))


def _lines(program: str) -> list[list[str]]:
    """The words of every command line of a program, in blocks of every kind, without its comment."""
    plain = [line for b in BLOCKS if not b.language and FLOW not in b.text for line in b.text.splitlines()]
    typed = [line[2:] for b in BLOCKS if b.language == "console" for line in b.text.splitlines() if line[:2] == "$ "]
    words = [shlex.split(line, comments=True) for line in plain + typed]
    return [w[1:] for w in words if w and w[0] == program]


def _inline() -> list[list[str]]:
    """The words of every command line within a sentence. A mere name is checked elsewhere: it may lack an argument."""
    spans = [span for page in PAGES for span in _spans(page) if not PLACEHOLDER.search(span)]
    found = [shlex.split(span)[1:] for span in spans if span.startswith("dagger ")]
    return [words for words in found if len(words) > 1]


def _typed(words: list[str]) -> str:
    return shlex.join(["dagger", *words])


COMMANDS = {_typed(w): w for w in [*_lines("dagger"), *_inline()]}
LONG = "thinking"  # all families take long; tests/dagger/evaluation/test_family_table.py drives a few
ELSEWHERE = {"--backend", "--maps"}  # these need a server, which tests/sim/carla has, or a folder of real maps
CHEAP = [
    c for c, words in COMMANDS.items()
    if words[0] in SHORTER and LONG not in words and not ELSEWHERE & set(words) and words in _lines("dagger")
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands are typed: with the pages' scenarios as files, and a run whose nets have learned nothing."""
    made = tmp_path_factory.mktemp("pages")
    for block in BLOCKS:
        if block.language == "yaml":
            (made / f"{from_text(block.text).name}.yaml").write_text(block.text)
        if block.language == "xml":
            (made / ROUTES).write_text(block.text)
        if block.language == "yml" and f"`{OPTIONS}`" in block.page.read_text():
            (made / OPTIONS).write_text(block.text)
    for name in ("dagger-3", "cloning-3"):
        save_policy(made / "runs/rain-turn-0/checkpoints" / name, build(LearnerSettings(), 0), MIND)
    return made


@pytest.fixture
def typing_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "160")
    return folder


# ---------------------------------------------------------------------------------------------------- the blocks
def test_every_block_is_of_a_kind_that_is_checked() -> None:
    assert {b.language for b in BLOCKS} == {"", "python", "yaml", "yml", "xml", "console"}
    for block in BLOCKS:
        if not block.language and FLOW not in block.text:
            odd = [line for line in block.text.splitlines() if line.split(" ")[0] not in PROGRAMS]
            assert not odd, f"{block.place}: {odd}; wanted lines that begin with one of {PROGRAMS}"


@pytest.mark.parametrize("block", of("python"))
def test_a_python_block_runs_in_a_fresh_interpreter(block: Block, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(block.text)  # kernels are compiled from files only
    done = subprocess.run([sys.executable, "block.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, f"{block.place}\n{done.stderr}"
    assert "Warning" not in done.stderr, f"{block.place}\n{done.stderr}"


@pytest.mark.parametrize("block", of("yaml"))
def test_a_scenario_of_a_page_has_a_rule_splits_and_no_leak(block: Block) -> None:
    scenario = from_text(block.text, block.place)
    for split in scenario.splits:
        drawn = balanced_batch(scenario, range(60), split)
        assert len({decision(scenario, e) for e in drawn}) > 1, f"split '{split}' has one answer only"
        assert {tuple(valuation(scenario, e).values()) for e in drawn} == set(cells(scenario, split))
    assert set(cells(scenario, "train")) < set(cells(scenario, "test")) == set(cells(scenario, ALL_EPISODES))
    for premise in names(scenario.rule):
        pairs = [(e, twin(scenario, e, premise)) for e in balanced_batch(scenario, range(60), ALL_EPISODES)]
        assert any(decision(scenario, a) != decision(scenario, b) for a, b in pairs), f"'{premise}' decides nothing"
    report = check_leaks(scenario, FEW, splits=False)
    assert report.passed, str(report)


@pytest.mark.parametrize("block", of("xml"))
def test_a_route_file_of_a_page_can_be_driven(block: Block, tmp_path: Path) -> None:
    assert f"`{ROUTES}`" in block.page.read_text()
    (tmp_path / ROUTES).write_text(block.text)
    routes, bad = read_routes(tmp_path / ROUTES)
    assert routes and not bad
    assert all(route.episode(0).time_limit > 30.0 and not route.notes for route in routes)


@pytest.mark.parametrize("block", of("console"))
def test_a_console_says_what_the_page_shows(
    block: Block, typing_there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.M)
    assert turns and len(block.text.splitlines()) == sum(1 + shown.count("\n") for _, shown in turns)
    for typed, shown in turns:
        words = shlex.split(typed, comments=True)
        if words[0] == "dagger":
            cli.main(words[1:])
            said = "".join(capsys.readouterr())
        else:
            said = subprocess.run(["sh", "-c", typed], capture_output=True, text=True, check=True).stdout
        assert said == shown, block.place


def test_a_file_of_options_can_be_read(typing_there: Path) -> None:
    cli.read("run", ["rain-turn", "--config", OPTIONS])
    wrong = Path("wrong.yml")
    wrong.write_text(Path(OPTIONS).read_text().replace("rounds:", "laps:"))
    with pytest.raises(ValueError, match=r"unknown key 'laps'"):
        cli.read("run", ["rain-turn", "--config", str(wrong)])


def test_the_drawing_is_the_same_on_every_page() -> None:
    drawings = {b.page: b.text for b in BLOCKS if FLOW in b.text}
    assert {name_of(page) for page in drawings} == {"README.md", "docs/index.md", "docs/explanation/architecture.md"}
    assert len(set(drawings.values())) == 1
    lines = drawings[PAGES[0]].splitlines()
    assert len(lines) <= 20 and max(map(len, lines)) <= 90, "the drawing fits on one screen"


# -------------------------------------------------------------------------------------------------- the commands
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_line_is_understood_and_names_what_exists(command: str, typing_there: Path) -> None:
    name, *rest = COMMANDS[command]
    if name == "--help":
        return
    assert name in cli.COMMANDS, f"{command}: known are {', '.join(cli.COMMANDS)}"
    if command in _consoles():
        return  # it shows a mistake
    options = cli.read(name, rest)
    chosen = _scenarios(options)
    rule, split, cell = (getattr(options, word, None) for word in ("rule", "split", "cell"))
    for scenario in chosen:
        scenario = scenario if rule is None else scenario.with_rule(rule)
        scenario.split(split or ALL_EPISODES)
        choose_cell(scenario, split or ALL_EPISODES, cell or "", 0)
    if driver := getattr(options, "driver", None):
        choose_driver(driver)


def _consoles() -> set[str]:
    text = "".join(b.text for b in BLOCKS if b.language == "console")
    return {line.removeprefix("$ ") for line in text.splitlines()}


def _scenarios(options: Any) -> list[Scenario]:
    targets = [t for t in getattr(options, "targets", ()) if t != ROUTES]
    targets = [entry.scenario for target in targets for entry in entries_of(target)]
    names = (*getattr(options, "names", ()), *getattr(options, "scenarios", ()))
    named = getattr(options, "scenario", None)
    return [load_scenario(n) for n in (*targets, *names, *([named] if named else []))]


@pytest.mark.parametrize("command", [c for c in CHEAP if c not in _consoles()])
def test_a_cheap_command_runs(command: str, typing_there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = COMMANDS[command]
    shorter = SHORTER.get(" ".join(words[:2]), SHORTER[words[0]])
    assert cli.main([*words, *shorter]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.strip()
    if shorter:
        out = getattr(cli.read(words[0], [*words[1:], *shorter]), "out", None)
        assert out is None or Path(out).exists()


def test_every_command_is_shown() -> None:
    assert {w[0] for w in _lines("dagger")} - {"--help"} == set(cli.COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_or_option_within_a_sentence_exists(page: Path) -> None:
    spans = _spans(page)
    assert {s.split()[1] for s in spans if s.startswith("dagger ")} <= {*cli.COMMANDS, "--help", "--version"}
    known = {"--help", *_all_options()}
    odd = {s.split()[0] for s in spans if s.startswith("--")} - known
    assert not odd, f"{name_of(page)} names {sorted(odd)}"


@functools.cache
def _all_options() -> frozenset[str]:
    names = [name for c in cli.COMMANDS.values() for name in (c.module, *c.deeper.values())]
    modules = [importlib.import_module(name) for name in names]
    return frozenset(flag for module in modules for flag in flags_of(module.Options))


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    asked = [word for words in _lines("make") for word in words]
    assert asked[:2] == ["run", "test"] and set(asked) <= set(targets)


def test_every_python_script_exists() -> None:
    typed = [s.split()[1:] for page in PAGES for s in _spans(page) if s.startswith("python ")] + _lines("python")
    scripts = [words[0] for words in typed if words[0] != "-m"]
    assert len(scripts) > 20 and all((ROOT / s).is_file() for s in scripts), scripts
    extras = (ROOT / "pyproject.toml").read_text()
    for module in (words[1] for words in typed if words[0] == "-m"):
        assert importlib.util.find_spec(module) or f'"{module}>=' in extras, f"no package brings {module}"


# ------------------------------------------------------------------------------------------- links, paths, pictures
def _links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", _prose(page)) + re.findall(r"(?:src|href)=\"([^\"]+)\"", _prose(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in _links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, link


def _paths(page: Path) -> set[str]:
    """The paths that a page names in its prose, those that runs make aside."""
    found = {s for s in _spans(page) if re.fullmatch(r"[\w.-]+/[\w./-]*", s)}
    return {p for p in found if p.split("/")[0] not in (*MADE, *UNITS) and p not in MADE_FILES}


@pytest.mark.parametrize("page", [p for p in PAGES if p != LOG], ids=name_of)
def test_every_path_of_a_page_exists(page: Path) -> None:
    missing = {p for p in _paths(page) if not (ROOT / p).exists()}
    assert not missing, f"{name_of(page)} names {sorted(missing)}"


def test_the_readme_leaves_no_folder_out() -> None:
    named = {p.split("/")[0] for p in _paths(PAGES[0])}
    assert {*PACKAGES, "tests", "benchmarks", "experiments", "notebooks", "docs"} <= named


def test_every_part_that_can_be_added_has_a_place() -> None:
    table = (DOCS / "how-to" / "index.md").read_text().split("## Add a part")[1]
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+) \|", table, re.M))
    wanted = ("weather effect", "sensor", "operator", "variable", "kind of decision", "map", "actor kind", "encoder",
              "memory", "head", "probe level", "DAgger gate", "DAgger schedule")  # fmt: skip
    for part in wanted:
        (place,) = [cell for row, cell in rows.items() if row.startswith(part)]
        assert re.search(r"`(?:sim|scenarios|policies|dagger|probes)/", place), part
    assert "](docs/how-to/index.md)" in README, "two clicks from the README"


def test_every_level_of_the_scorecard_is_explained() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", README, re.M)) == tuple(level.name for level in levels())


def test_the_supported_pythons_are_those_of_the_package() -> None:
    stated = re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert stated
    low, beyond = stated.groups()
    assert f"Python 3.{low} to 3.{int(beyond) - 1}" in README


def test_the_pictures_are_what_is_drawn_today() -> None:
    from benchmarks.pictures import FOLDER, PICTURES, SCENARIO

    shown = {Path(link).name for page in PAGES for link in _links(page) if link.endswith((".png", ".jpg", ".svg"))}
    assert {p.name for p in FOLDER.iterdir()} == shown, "pictures that no page shows, or the other way round"
    assert {f"images/{name}" for name in PICTURES} <= set(_links(DOCS / "index.md"))
    assert "docs/images/twins.png" in _links(PAGES[0])
    for name, draw in PICTURES.items():
        new, old = draw(load_scenario(SCENARIO)).astype(int), np.asarray(Image.open(FOLDER / name), int)
        assert new.shape == old.shape, f"{name}: redraw it with python benchmarks/pictures.py"
        # As for golden images: fast arithmetic rounds by machine, and a border pixel may fall to either side.
        changed = (np.abs(new - old).max(2) > 6).mean()
        assert changed < 0.02, f"{changed:.1%} of {name} has changed; redraw it with python benchmarks/pictures.py"


def test_no_page_names_a_place_on_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(?:home|work|root|tmp|Users)/", page.read_text()), name_of(page)
