"""The files that a module depends on: what an import may reach, and that nothing imported is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sim.core.sources import ROOT, sources_of


def names(root: Path, module: str) -> list[str]:
    return [path.relative_to(root).as_posix() for path in sources_of(module, root)]


def written(root: Path, files: dict[str, str]) -> Path:
    for place, text in files.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text)
    return root


@pytest.mark.parametrize(
    "text",
    [
        "import b.c\n",
        "import os, b.c as other\n",
        "from b.c import thing\n",
        "from b import c\n",
        "from b import (\n    x,\n    c,\n)\n",
        "def late():\n    from b import c\n",
        "if True:\n    import b.c\n",
    ],
)
def test_an_import_counts_in_every_spelling(tmp_path: Path, text: str) -> None:
    root = written(tmp_path, {"a.py": text, "b/__init__.py": "", "b/c.py": "import d\n", "d.py": "", "e.py": ""})
    assert names(root, "a") == ["a.py", "b/__init__.py", "b/c.py", "d.py"]


def test_a_circle_of_imports_ends(tmp_path: Path) -> None:
    root = written(tmp_path, {"a.py": "import b\n", "b.py": "import a\n"})
    assert names(root, "a") == names(root, "b") == ["a.py", "b.py"]


@pytest.mark.parametrize("spelled", ['"b.kinds"', "__name__"])
def test_a_registry_depends_on_every_module_of_its_folder(tmp_path: Path, spelled: str) -> None:
    files = {"b/__init__.py": "", "b/kinds/ball.py": "", "b/kinds/car.py": "import d\n", "d.py": "", "e.py": ""}
    root = written(tmp_path, files | {"b/kinds/__init__.py": f"import_modules({spelled})\n"})
    expected = ["b/__init__.py", "b/kinds/__init__.py", "b/kinds/ball.py", "b/kinds/car.py", "d.py"]
    assert names(root, "b.kinds") == expected


def test_a_module_from_elsewhere_has_no_sources(tmp_path: Path) -> None:
    assert sources_of("numpy.random", tmp_path) == ()


def test_a_package_s_own_code_counts_for_the_modules_in_it(tmp_path: Path) -> None:
    root = written(tmp_path, {"b/__init__.py": "import d\n", "b/c.py": "", "d.py": ""})
    assert names(root, "b.c") == ["b/__init__.py", "b/c.py", "d.py"]


@pytest.mark.parametrize("module", ["sim.world.step", "sim.sensors.optical_flow", "policies.controllers.path_follower"])
def test_no_module_that_is_really_imported_is_missing(module: str) -> None:
    program = (
        "import importlib, sys\n"
        f"importlib.import_module({module!r})\n"
        "print('\\n'.join(str(m.__file__) for m in list(sys.modules.values()) if getattr(m, '__file__', None)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {Path(line) for line in shown.stdout.splitlines()}
    ours = {path for path in loaded if path.is_relative_to(ROOT) and ".venv" not in path.relative_to(ROOT).parts}
    assert len(ours) > 10
    assert ours <= set(sources_of(module))
