"""What may only shrink: long argument lists and columns without a name, counted per file.

The lists beside this file say what there is now. `python -m tests.architecture.ratchets`, run in the repository's root,
shortens them to what the code has; it never lengthens one, and writes one anew only where the file is missing.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.source_tree import ROOT, modules

HERE = Path(__file__).parent
MOST = 8  # positional parameters that a function may have without being listed
Counts = dict[str, int]
_KERNELS = ("kernel", "inner_kernel", "pasted_kernel", "implements")  # decorators, see `sim.render.kernels`


def long_signatures(tree: ast.Module, file: str) -> Counts:
    """Functions with more than 8 positional parameters, "file::Class.function" -> how many; `self` does not count.

    Parameters after a star do not count either: a call has to name them.
    """
    found: Counts = {}

    def visit(node: ast.AST, outer: str, in_class: bool) -> None:
        for child in ast.iter_child_nodes(node):
            name = outer
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{outer}.{child.name}" if outer else child.name
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                static = any(ast.unparse(d) == "staticmethod" for d in child.decorator_list)
                count = len(child.args.posonlyargs) + len(child.args.args) - (in_class and not static)
                if count > MOST:
                    found[f"{file}::{name}"] = count
            visit(child, name, isinstance(child, ast.ClassDef))

    visit(tree, "", False)
    return found


def bare_columns(tree: ast.Module, file: str) -> Counts:
    """Subscripts whose last index is a bare number from 0 on, "file" -> how many.

    Counted are indices of several parts, `item[n, 7]`, and within a kernel those of one, `geometry[3]`. Not counted
    are named columns, `shape[0]` of an array, and actor 0 of a world, `x[w, 0]` or `x[:, 0]`, which is ego.
    """
    kernels = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and any(map(_is_kernel, f.decorator_list))]
    in_kernel = {id(node) for f in kernels for node in ast.walk(f)}
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if not _is_number(parts[-1]) or (len(parts) == 1 and id(node) not in in_kernel):
                continue
            of_shape = len(parts) == 1 and isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
            ego = len(parts) == 2 and ast.unparse(parts[0]) in ("w", ":") and ast.unparse(parts[1]) == "0"
            count += not of_shape and not ego
    return {file: count} if count else {}


def _is_kernel(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Name) and call.id in _KERNELS


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


LISTS: dict[str, Callable[[ast.Module, str], Counts]] = {"signatures": long_signatures, "columns": bare_columns}


@functools.lru_cache(maxsize=1)
def _everything() -> dict[str, Counts]:
    found: dict[str, Counts] = {name: {} for name in LISTS}
    for path in modules().values():
        tree, file = ast.parse(path.read_text()), path.relative_to(ROOT).as_posix()
        for name, count in LISTS.items():
            found[name] |= count(tree, file)
    return found


def counted(name: str) -> Counts:
    """What the code has now, of one of LISTS."""
    return dict(_everything()[name])


def listed(name: str) -> Counts:
    """What the list allows: "entry count" in every line that is not empty and does not begin with #."""
    lines = (HERE / f"{name}.txt").read_text().splitlines()
    rows = [line.rsplit(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    repeated = [entry for entry, n in Counter(entry for entry, _ in rows).items() if n > 1]
    if repeated:
        raise ValueError(f"{name}.txt has {repeated[0]} twice; wanted a line for each entry")
    return {entry: int(count) for entry, count in rows}


def complaints(name: str, now: Counts, allowed: Counts) -> list[str]:
    """One sentence for every entry in which code and list differ."""
    cure = {
        "signatures": f"give it at most {MOST} positional parameters: pass what belongs together as one value",
        "columns": "give the columns names: constants such as x[w, i, SPEED], or fields of a NamedTuple",
    }[name]
    found = []
    for entry in sorted(now | allowed):
        has, may = now.get(entry, 0), allowed.get(entry, 0)
        if has > may:
            found.append(f"{entry} has {has}, and {name}.txt allows {may or 'none'}; {cure}")
        elif has < may:
            left = f"has {has} now" if has else "is gone"
            found.append(f"{entry} {left}, and {name}.txt says {may}; run python -m tests.architecture.ratchets")
    return found


def written(name: str, counts: Counts) -> str:
    """The text of a list."""
    about = (LISTS[name].__doc__ or "").split("\n")[0]
    head = f"# {about}\n# May only shrink: tests/architecture/test_ratchets.py. In all: {sum(counts.values())}.\n"
    if name == "signatures":
        head = head.replace(f"In all: {sum(counts.values())}", f"In all: {len(counts)} functions")
    return head + "".join(f"{entry} {count}\n" for entry, count in sorted(counts.items()))


def main() -> int:
    """Shorten the lists; 1 where the code has more than they allow."""
    grown = False
    for name in LISTS:
        now = counted(name)
        allowed = listed(name) if (HERE / f"{name}.txt").exists() else now
        kept = {entry: min(now.get(entry, 0), may) for entry, may in allowed.items()}
        kept = {entry: count for entry, count in kept.items() if count > (MOST if name == "signatures" else 0)}
        (HERE / f"{name}.txt").write_text(written(name, kept))
        for complaint in complaints(name, now, kept):
            grown = True
            print(complaint, file=sys.stderr)
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
