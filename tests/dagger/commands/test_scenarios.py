"""`dagger scenarios export`: what is written where, and what every mistake is told as."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagger import cli
from scenarios.export.openscenario import episode_of
from scenarios.sampling.sample import sample
from scenarios.scenario import load_scenario


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


def test_an_episode_is_written_with_its_map_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["scenarios", "export", "rain-xor-night", "--openscenario", "out/one.xosc", "--seed", "7"]
    assert cli.main([*asked, "--split", "train"]) == 0
    assert capsys.readouterr().out.split() == ["out/one.xodr", "out/one.xosc"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one.xodr", "one.xosc"]
    wanted = sample(load_scenario("rain-xor-night"), 7, "train")
    assert episode_of((tmp_path / "out/one.xosc").read_text()) == wanted


def test_a_scenario_file_is_exported_like_a_name(tmp_path: Path) -> None:
    text = "name: mine\nmap: {generate: t_junction}\npropositions: {fast: ego.speed > 6}\nego: {speed: [4, 8]}\n"
    (tmp_path / "mine.yaml").write_text(text + "rule: left if fast else right\n")
    assert cli.main(["scenarios", "export", "mine.yaml", "--openscenario", "mine.xosc"]) == 0
    assert episode_of((tmp_path / "mine.xosc").read_text()).scenario == "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rain-turn"], "--openscenario rain.xosc"),
        (["rain-turn", "--openscenario", "a.xml"], "ends in .xosc"),
        (["rain-trun", "--openscenario", "a.xosc"], "did you mean 'rain-turn'"),
        (["rain-turn", "--openscenario", "a.xosc", "--split", "trian"], "known are"),
        (["rain-turn", "--openscenario", "a.xosc", "--seed", "-1"], "2**32 - 1"),
        (["rain-turn", "--openscenari", "a.xosc"], "did you mean '--openscenario'"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["scenarios", "export", *arguments]) == 2
    heard = capsys.readouterr().err
    assert heard.startswith("dagger scenarios") and said in heard and heard.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_of_the_command_within_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scenarios", "export", "--help"]) == 0
    said = capsys.readouterr().out
    assert "dagger scenarios export" in said and "--openscenario" in said and "--seed" in said
    assert cli.main(["scenarios", "--help"]) == 0
    assert "dagger scenarios export" in capsys.readouterr().out
