"""Reads every module with `ast`: what it imports, when it is loaded and when only at use."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("sim", "scenarios", "policies", "dagger", "probes")


@dataclass(frozen=True)
class Import:
    """One name that a module imports.

    Args:
        target: a module of the house as far as its file is known ("sim.datatypes.world_state"), or another one's full
            name.
        late: within a function, so that loading the module does not load the target.
        line: where.
    """

    target: str
    late: bool
    line: int


def modules() -> dict[str, Path]:
    """Module name -> its file, of all packages."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _home(name: str, known: dict[str, Path]) -> str:
    """The module that a dotted name lives in: names within a module are cut off."""
    if name.split(".")[0] not in PACKAGES:
        return name
    while name not in known:
        name = name.rpartition(".")[0]
    return name


@functools.lru_cache(maxsize=1)
def imports() -> dict[str, tuple[Import, ...]]:
    """Module -> what it imports."""
    known = modules()
    return {name: tuple(_of(path.read_text(), known)) for name, path in known.items()}


def _of(text: str, known: dict[str, Path]) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(_home(a.name, known), late, node.lineno) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found.extend(Import(_home(f"{node.module}.{a.name}", known), late, node.lineno) for a in node.names)
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        # What stands under `if TYPE_CHECKING:` is never run.
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        for child in ast.iter_child_nodes(node):
            visit(child, late or inside)

    visit(ast.parse(text), False)
    return found


def package_of(module: str) -> str:
    """The package of a module of the house, "" for another one."""
    first = module.split(".")[0]
    return first if first in PACKAGES else ""
