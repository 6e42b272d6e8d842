"""State is passed as arguments: no module writes the process's environment or has a `global` statement."""

from __future__ import annotations

import ast

import pytest

from tests.support.source_tree import ROOT, modules

# File -> the variables that it writes, and why they cannot be arguments.
WRITES = {
    "dagger/cli.py": {"OMP_WAIT_POLICY"},  # OpenMP reads it once, when torch is imported
    "dagger/evaluation/workers.py": {"OMP_NUM_THREADS"},  # likewise, in a worker process
    "dagger/options.py": {"COLUMNS"},  # the only width that tyro takes; the value is put back
}
CHANGES = {"setdefault", "pop", "popitem", "update", "clear", "putenv", "unsetenv", "__setitem__", "__delitem__"}


def is_environ(node: ast.AST) -> bool:
    """Whether an expression is `os.environ`, or `environ` imported from os."""
    return ast.unparse(node) in ("os.environ", "environ", "os.environb", "environb")


def written(node: ast.AST) -> list[str]:
    """What a statement or call writes to the environment: names of variables, or * where they are not literals."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)) and is_environ(node.value):
        return [node.slice.value if isinstance(node.slice, ast.Constant) else "*"]
    if isinstance(node, ast.AugAssign | ast.Assign):
        targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
        return ["*"] if any(map(is_environ, targets)) else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        if is_environ(node.func.value) or ast.unparse(node.func) in ("os.putenv", "os.unsetenv"):
            named = node.func.attr != "update" and node.args and isinstance(node.args[0], ast.Constant)
            return [node.args[0].value if named else "*"]
    return []


def writes_of(text: str) -> set[str]:
    """The variables that a module's text writes."""
    return {name for node in ast.walk(ast.parse(text)) for name in written(node)}


def test_no_module_writes_the_environment_but_those_that_say_why() -> None:
    found = {str(path.relative_to(ROOT)): writes_of(path.read_text()) for path in modules().values()}
    assert {file: names for file, names in found.items() if names} == WRITES


@pytest.mark.parametrize(("text", "names"), [
    ('os.environ["A"] = "1"', {"A"}), ("environ[name] = x", {"*"}), ('del os.environ["A"]', {"A"}),
    ('os.environ.setdefault("A", "1")', {"A"}), ("os.environ.update(A=1)", {"*"}), ('os.putenv("A", "1")', {"A"}),
    ("os.environ |= more", {"*"}), ('os.environ["A"]', set()), ('run(env=os.environ | {"A": "1"})', set()),
    ('os.environ.get("A")', set()),
])  # fmt: skip
def test_a_write_is_told_from_a_read(text: str, names: set[str]) -> None:
    assert writes_of(text) == names


def test_no_function_rebinds_a_global() -> None:
    found = {
        f"{name}:{node.lineno}"
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Global)
    }
    assert not found, f"pass the value on, or keep it in an object: {sorted(found)}"


def test_one_place_reads_the_folder_of_maps() -> None:
    places = {
        name
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "HOMUNCULUS_MAPS"
    }
    assert places == {"sim.road.map.loading"}
