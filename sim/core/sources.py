"""The source files of the project that a module depends on, found by its import statements."""

from __future__ import annotations

import functools
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# An import at any depth of a file, so that imports within functions count; a name in brackets may be on a later line.
_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^\s*import\s+([^\n]*)", re.MULTILINE)
_WHOLE_FOLDER = re.compile(r"\bimport_modules\(([^)]*)\)")
_NAME = re.compile(r"[\w.]+")


def sources_of(module: str, root: Path = ROOT) -> tuple[Path, ...]:
    """The files of a module, of all that it imports, and of all that those import, sorted.

    Only files below `root` are counted, and only imports that name their module in full: an architecture test refuses
    relative ones. A name that is imported from a package counts as a module where a file of that
    name exists, so the answer may hold a file too many, and never one too few. A registry's `import_modules` counts as
    an import of every module of the folder.

    Args:
        module: full name, as in "sim.world.step".

    Returns:
        Paths; none if `root` has no such module.
    """
    found: set[Path] = set()
    ahead = [module]
    while ahead:
        name = ahead.pop()
        path = _file(name, root)
        if path is not None and path not in found:
            found.add(path)
            ahead += _imported(name, path)
    return tuple(sorted(found))


@functools.cache
def _file(module: str, root: Path) -> Path | None:
    """The file of a module or package; None if there is none below `root`."""
    place = root.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _imported(module: str, path: Path) -> tuple[str, ...]:
    """The names that a file may import, and the packages that it lies in: importing it runs their code too."""
    text = path.read_text(encoding="utf-8")
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(1, len(parts))]
    for start, what in _FROM.findall(text):
        names.append(start)
        names += [f"{start}.{name}" for name in _NAME.findall(what)]
    names += [name for what in _IMPORT.findall(text) for name in _NAME.findall(what)]
    for start in _WHOLE_FOLDER.findall(text):
        package = module if start == "__name__" else start.strip("\"'")
        folder = path.parent if package == module else path.parents[len(parts) - 1].joinpath(*package.split("."))
        names += [f"{package}.{file.stem}" for file in sorted(folder.glob("*.py"))] if folder.is_dir() else []
    return tuple(dict.fromkeys(names))
