"""What `pip install` puts on a machine works there: with the data files, from another folder, without this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source_tree import ROOT, modules

SOURCES = ("sim", "scenarios", "policies", "dagger", "probes", "pyproject.toml", "LICENSE", "README.md")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plain install, made from a copy so that the checkout stays as it is."""
    copy, target = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("target")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
               "--disable-pip-version-check", "--target", str(target), str(copy)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "setuptools" in done.stderr and "BackendUnavailable" in done.stderr:
        pytest.skip("setuptools is not installed here, and building it in isolation would need a network")
    assert done.returncode == 0, done.stderr
    return target


def run(installed: Path, folder: Path, code: str) -> str:
    # -P: neither the folder nor the checkout may lend a module; an editable install is hidden by what comes first.
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_library_scenario_loads_from_another_folder(installed: Path, tmp_path: Path) -> None:
    code = (
        "import scenarios.scenario; s = scenarios.scenario.load_scenario('rain-turn');"
        "print(scenarios.scenario.__file__); print(s.name, s.rule)"
    )
    where, what = run(installed, tmp_path, code).splitlines()
    assert where.startswith(str(installed)), "the checkout was imported in place of the install"
    assert what == "rain-turn left if raining else right"


def test_every_module_and_data_file_is_installed(installed: Path) -> None:
    for path in modules().values():
        assert (installed / path.relative_to(ROOT)).is_file(), f"{path.relative_to(ROOT)} was left out"
    for folder in ("scenarios/library", "scenarios/suites"):
        wanted = {p.name for p in (ROOT / folder).glob("*.yaml")}
        assert wanted and {p.name for p in (installed / folder).glob("*.yaml")} == wanted


def test_nothing_but_the_packages_is_installed(installed: Path) -> None:
    found = {p.name for p in installed.iterdir() if p.is_dir() and not p.name.endswith(".dist-info")}
    assert found - {"bin", "__pycache__"} == {"sim", "scenarios", "policies", "dagger", "probes"}


def test_the_console_script_points_at_something(installed: Path) -> None:
    found = re.search(r'^dagger = "([\w.]+):(\w+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert found
    module, function = found.groups()
    assert f"def {function}(" in (installed / (module.replace(".", "/") + ".py")).read_text()
