"""The report says what the files say, names what they lack, and asks the network for nothing."""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dagger.commands.film import short_name
from dagger.report import charts as figures
from dagger.report.charts import number
from dagger.report.html import details, strip
from dagger.report.record import read_record, verdict_sentence, write_report
from tests.support.run_folders import scorecard, write_run

VOID = {"meta", "img", "br", "link", "input", "hr", "line", "circle"}


class Checker(HTMLParser):
    """Keeps a stack of open elements, every attribute, and the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)


def checked(path: Path) -> Checker:
    checker = Checker()
    checker.feed(path.read_text())
    checker.close()
    assert checker.open == []
    return checker


def report(folder: Path, score: dict[str, Any] | None, **options: Any) -> tuple[Path, str]:
    path = write_report(write_run(folder, score, **options))
    return path, " ".join(" ".join(checked(path).words).split())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(write_run(tmp_path_factory.mktemp("good"), scorecard(True)))


def leaves(value: Any) -> Iterator[int | float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def test_the_page_is_one_file_that_asks_for_nothing(good: Path) -> None:
    page = good.read_text()
    for tag, attributes in checked(good).tags:
        assert tag not in ("script", "link", "iframe", "object"), tag
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name, value[:60])
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    assert "http://" not in page and "https://" not in page and "@import" not in page
    assert all(address.startswith("#") for address in re.findall(r"url\(['\"]?([^)'\"]*)", page))


def test_every_number_of_the_scorecard_is_on_the_page(good: Path) -> None:
    words = " ".join(checked(good).words)
    for value in leaves(scorecard(True)):
        shown = [number(value), number(float(value)), f"{abs(value):g}"]
        assert any(re.search(rf"(?<![\d.]){re.escape(s)}(?![\d.]*\d)", words) for s in shown), value


def test_the_page_says_how_conditions_were_balanced(good: Path, tmp_path: Path) -> None:
    assert "night in 0.12" in " ".join(" ".join(checked(good).words).split())
    _, words = report(tmp_path, scorecard(True), config={"scenario": {"name": "plain", "splits": {"train": "true"}}})
    assert "where the split leaves a choice" not in words


def test_one_changed_number_changes_the_page(tmp_path: Path) -> None:
    score = scorecard(True)
    score["levels"]["uses"]["baselines"]["full_swap"]["value"] = 0.9177
    _, words = report(tmp_path, score)
    assert "0.918" in words and "0.981 [0.920" not in words


def test_the_same_folder_gives_the_same_page(good: Path) -> None:
    first = good.read_bytes()
    assert write_report(good.parent).read_bytes() == first


def test_a_passed_run_reads_as_passed_and_a_poor_one_as_poor(tmp_path: Path) -> None:
    _, fine = report(tmp_path / "good", scorecard(True))
    _, poor = report(tmp_path / "poor", scorecard(False))
    assert (
        "all 5 levels of evidence are passed" in fine
        and "not passed" not in fine.split("The scenario, as its file says it")[0]
    )
    assert (
        "that it thinks so was not shown" in poor and "generalises, encodes, uses and recovered were not passed" in poor
    )
    assert "undecided" in poor.split("The recovered rule")[2] and "No rule was recovered" in poor


def test_the_top_of_the_page_says_verdict_values_and_how_long_it_took(tmp_path: Path) -> None:
    score = scorecard(True)
    top = report(tmp_path, score)[1].split("Further down")[0]
    for level in score["levels"].values():
        assert f"{number(level['value'])} [{number(level['interval'][0])}" in top
    assert top.count("✓ passed") == 5 and "took 223 s (3.7 min) on 2 cores" in top
    nothing = {name: {"passed": False} for name in score["levels"]}
    assert "none of the 5 levels was passed" in verdict_sentence({"rule": "left", "levels": nothing})


def test_every_section_is_named_at_the_top_and_every_link_leads_somewhere(good: Path) -> None:
    tags = checked(good).tags
    links = [a["href"] for tag, a in tags if tag == "a"]
    assert links == ["#" + str(a["id"]) for tag, a in tags if tag == "section"] and len(links) == 11


def test_no_table_can_be_wider_than_the_page(good: Path) -> None:
    page = good.read_text()
    laid_out = page.count('<table class="strip"') + page.count('<table class="film"')  # as wide as they are given
    assert page.count('<div class="scroll"><table') == page.count("<table") - laid_out > 8


def test_baselines_are_named_in_full_with_their_rule_and_explained(tmp_path: Path) -> None:
    score = scorecard(True)
    name, rule = "wrong formula: night and oncoming (raining)", "right if night else left"
    score["levels"]["uses"]["baselines"] = {name: {"value": 0.25, "interval": None, "rule": rule}}
    words = report(tmp_path, score)[1]
    assert name in words and rule in words
    assert "wrong formula the part of the latent that encodes another fact" in words
    assert "the whole latent is swapped" not in words


@pytest.mark.parametrize("low", [0.0, -0.4, -1.8, -7.0, -300.0])
def test_the_marks_of_an_axis_keep_apart(low: float) -> None:
    drawn = strip({"value": low, "interval": None, "threshold": 0.9}, "#000")
    axis = drawn.rsplit("<tr", 1)[1]
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)%', axis)]
    assert len(places) >= 2 and min(np.diff(places)) > 12


def test_shares_become_rows_and_what_never_happened_claims_no_interval() -> None:
    share = {"value": 0.4219, "interval": [0.231, 0.668], "n": 16}
    never = {"value": None, "interval": [0.0, 1.0], "n": 0}
    drawn = details({"twins": {"raining": {"flips": share, "false flips": never}}, "held out": ["a, b"], "used": []})
    words = " ".join(re.sub("<[^>]*>", " ", drawn).split())
    assert "raining: flips 0.422 [0.231, 0.668] 16" in words
    assert "raining: false flips none of this kind – 0" in words
    assert "held out [“a, b”]" in words and "used none" in words


def test_code_lengths_are_those_of_the_whole_code(good: Path) -> None:
    words = " ".join(checked(good).words)
    assert "code length [bits]" in words and "bits per episode" not in words


def test_the_league_keeps_its_numbers_in_a_column_of_their_own(good: Path) -> None:
    score = scorecard(True)
    drawn = figures.ranking(score["league"], score["random_compression"])
    found = re.findall(r'<text style="[^"]*text-anchor: end[^"]*" x="([\d.]+)"[^>]*>(−?\d\.\d{3})</text>', drawn)
    assert sorted(words for _, words in found) == sorted(number(r["compression"]) for r in score["league"])
    assert len({place for place, _ in found}) == 1
    marks = [float(x) for x in re.findall(r'<use [^>]*x="([\d.]+)"', drawn)]
    assert max(marks) < float(found[0][0]) - 30


def test_pictures_say_when_they_are_sharper_than_what_the_learner_sees(tmp_path: Path) -> None:
    train = {"camera": {"width": 96, "height": 64}}
    assert (
        "drawn at 24 × 16 pixels (the learner sees 96 × 64)" in report(tmp_path / "a", None, config={"train": train})[1]
    )
    train = {"camera": {"width": 24, "height": 16}}
    assert "the learner sees" not in report(tmp_path / "b", None, config={"train": train})[1]


@pytest.mark.parametrize("colour", [figures.TEAL, "#a8326b"])
def test_numbers_on_a_heat_map_can_be_read_on_every_shade(colour: str) -> None:
    shades = figures.LinearSegmentedColormap.from_list("shades", ["#f4f6f6", colour])
    for strength in np.linspace(0, 1, 21):
        face, ink = shades(strength), figures.readable_on(shades(strength))
        assert figures.contrast(face, ink) == max(figures.contrast(face, c) for c in ("white", figures.INK))
        assert figures.contrast(face, ink) > 3.9  # what the better of white and ink reaches on the worst grey


def test_a_driver_is_named_by_the_end_of_its_path() -> None:
    assert short_name("/home/somebody/runs/rain-turn-0/checkpoints/dagger-3") == "rain-turn-0/checkpoints/dagger-3"
    assert [short_name(n) for n in ("expert", "minds:make", "a/minds:make")] == ["expert", "minds:make", "a/minds:make"]


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        ({}, "no scorecard"),
        ({"imitates": False}, "could not be shown"),
        (
            {"imitates": True, "generalises": True, "encodes": False},
            "imitates and generalises passed; encodes was not",
        ),
        ({"imitates": True}, "were not measured"),
    ],
)
def test_the_verdict_says_no_more_than_the_levels(passed: dict[str, bool], said: str) -> None:
    levels = {name: {"passed": value} for name, value in passed.items()}
    expected = ["imitates", "generalises", "encodes", "uses", "recovered"]
    sentence = verdict_sentence({"rule": "left if raining else right", "levels": levels, "expected_levels": expected})
    assert said in sentence and "all 5" not in sentence


def test_what_is_undecided_is_neither_passed_nor_failed_and_says_what_would_decide_it(tmp_path: Path) -> None:
    score = scorecard(True)
    words = "the codes of 'a' and 'b' cannot be told apart with 48 episodes; about 240 would decide it"
    score["levels"]["encodes"] |= {"passed": None, "undecided": words}
    score["verdict"].remove("encodes")
    assert "encodes was left undecided" in verdict_sentence(score) and "not measured" not in verdict_sentence(score)
    page = report(tmp_path, score)[0].read_text()
    assert "Undecided: the codes of" in page and '<span class="chip ">undecided</span>' in page
    assert "contradicts itself" not in page


def held(variables: int) -> dict[str, Any]:
    """Maps of so many variables, made up, at the sites and stations of `scorecard`."""
    saved = np.linspace(-0.2, 0.9, variables * 24).reshape(variables, 3, 8)
    names = ["raining", "night", "the conclusion"][:variables]
    return {"variables": names, "conclusion": "raining xor night", "threshold": 0.1, "saved": saved.tolist(),
            "held": (saved > 0.5).tolist(), "visible": (saved[:, 0] > 0).tolist(), "until": -3.0}  # fmt: skip


def test_what_is_held_where_and_when_has_a_map_for_every_premise_and_the_conclusion(tmp_path: Path) -> None:
    score = scorecard(True)
    score["maps"]["held"], score["swapped_at"] = held(3), {"raining": ["encoder"]}
    _, words = report(tmp_path, score)
    for title in ("premise: raining", "premise: night", "conclusion: raining xor night", "evidence in view"):
        assert title in words
    assert "Swapped here: “raining” at the encoder." in words
    assert "beyond −3 m the path that is driven" in words and "in one case of twenty" in words
    with pytest.raises(ValueError, match="wanted 2 variables x 3 sites x 8 stations"):
        figures.held_maps(held(3), ("a", "b", "c"), range(8), ["one", "two"])


def test_a_verdict_that_contradicts_its_levels_is_pointed_out(tmp_path: Path) -> None:
    score = scorecard(False)
    score["verdict"] = ["imitates", "recovered"]
    assert "the scorecard contradicts itself" in report(tmp_path / "a", score)[1]
    assert "the scorecard contradicts itself" not in report(tmp_path / "b", scorecard(False))[1]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    _, words = report(tmp_path, None, config={}, full=False)
    for sentence in (
        "no scorecard yet",
        "scorecard.json is absent",
        "The expert's rule was not recorded",
        "The propositions were not recorded",
        "the run has no twins.npz",
        "metrics.jsonl holds no evaluation",
        "The truth table was not recorded",
        "The formula ranking was not recorded",
        "The maps of layers and places were not recorded",
        "Interchange interventions were not recorded",
        "Transfer to other maps was not recorded",
        "The command was not recorded",
        "Durations were not recorded",
        "manifest.json is absent",
        "config.yaml is absent",
    ):
        assert sentence in html.unescape(words), sentence


def remembered(draw: Callable[..., str]) -> Callable[..., str]:
    """The same function, which draws a figure once for the same arguments."""
    drawn: dict[str, str] = {}

    def again(*arguments: Any, **named: Any) -> str:
        key = repr((arguments, named))
        if key not in drawn:
            drawn[key] = draw(*arguments, **named)
        return drawn[key]

    return again


def nulls(value: Any) -> Iterator[Any]:
    """The scorecard with each of its entries set to null in turn (top level, levels, and one level deeper)."""
    for key in value:
        yield {**value, key: None}
    for key in ("levels", "maps", "truth_table"):
        for inner in value[key]:
            yield {**value, key: {**value[key], inner: None}}
    for inner in value["levels"]["uses"]:
        changed = copy.deepcopy(value)
        changed["levels"]["uses"][inner] = None
        yield changed
    for row in ("league", "interchange", "transfer"):
        for inner in value[row][0]:
            changed = copy.deepcopy(value)
            changed[row][0][inner] = None
            yield changed


def test_any_entry_of_the_scorecard_may_be_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ranking", "heat_map"):  # drawing is slow, and most figures stay the same
        monkeypatch.setattr(figures, name, remembered(getattr(figures, name)))
    for i, score in enumerate(nulls(scorecard(False))):
        checked(write_report(write_run(tmp_path / str(i), score, full=False)))


def test_text_from_files_stays_text(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>&$x$'
    score = scorecard(True)
    score["scenario"] = score["rule"] = score["recovered_rule"] = score["checkpoint"] = evil
    score["levels"]["imitates"]["what"] = score["league"][0]["formula"] = score["interchange"][0]["what"] = evil
    score["levels"]["imitates"]["baselines"][evil] = {"value": 0.5, "interval": None}
    score["maps"]["proposition"] = score["transfer"][0]["where"] = score["maps"]["sites"][0] = evil
    score["truth_table"]["names"][0] = score["truth_table"]["rows"][0]["decided"] = evil
    score["settings"][evil] = score["durations"][evil] = 1.0
    folder = write_run(
        tmp_path, score, config={"scenario": {"name": evil, "description": evil, "splits": {evil: evil}}}
    )
    twins = dict(np.load(folder / "twins.npz"))
    np.savez(folder / "twins.npz", **{**twins, "labels": np.array([evil, evil, evil])})
    path = write_report(folder)
    assert "<script" not in path.read_text()
    checker = checked(path)
    assert "script" not in {tag for tag, _ in checker.tags}
    assert " ".join(checker.words).count('alert("x")') >= 15


def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no run"):
        write_report(tmp_path)
    write_run(tmp_path / "torn", scorecard(True))
    (tmp_path / "torn" / "scorecard.json").write_text('{"levels": ')
    with pytest.raises(ValueError, match=r"scorecard\.json cannot be read"):
        write_report(tmp_path / "torn")
    (tmp_path / "torn" / "scorecard.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="a mapping is wanted"):
        write_report(tmp_path / "torn")


def test_reading_twins_never_unpickles(tmp_path: Path) -> None:
    folder = write_run(tmp_path, scorecard(True))
    np.savez(folder / "twins.npz", labels=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"twins\.npz"):
        read_record(folder)


def test_numbers_are_written_one_way() -> None:
    said = [number(v) for v in (None, True, 3, -3, 0.9, 0.89951, -0.0341, 12.345, 1234.5)]
    assert said == ["–", "yes", "3", "−3", "0.900", "0.900", "−0.034", "12.3", "1234"]
