"""Imports point left, as docs/explanation/architecture.md says: the rules are read from that page, so that it cannot go
stale.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.support.source_tree import PACKAGES, ROOT, imports, modules, package_of

PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()


def section(title: str) -> str:
    """The text under a heading of the page."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert found, f"docs/explanation/architecture.md has no section {title!r}"
    return found.group(1)


def allowed() -> dict[str, set[str]]:
    """Package -> packages that it may import, from the page's table."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section("Layers"), re.M)
    return {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}


def folders() -> dict[str, list[str]]:
    """Package -> its folders with code, in the order of the page's second table."""
    rows = re.findall(r"^\| `([\w.]+)` \| ((?:`\w+` ?){2,})\|", section("Order of folders"), re.M)
    return {name: re.findall(r"`(\w+)`", cell) for name, cell in rows}


def folder_of(module: str, package: str) -> str:
    """The folder of a package that a module lies in, "" for a module beside the folders or elsewhere."""
    rest = module.removeprefix(f"{package}.") if module.startswith(f"{package}.") else ""
    first = rest.split(".")[0]
    return first if (ROOT / package.replace(".", "/") / first).is_dir() else ""


def exceptions(marker: str) -> set[str]:
    """The modules that a line of the page, begun by `marker`, names."""
    line = next(line for line in section("Layers").splitlines() if line.startswith(marker))
    return set(re.findall(r"`([\w.]+)`", line.removeprefix(marker)))


def within(module: str, names: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def loaded_by(code: str) -> set[str]:
    """Top and second names of the modules that a fresh interpreter holds after `code`."""
    code = f"import sys\n{code}\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.split())


# ------------------------------------------------------------------------------------------------------ the page
def test_the_page_names_every_package_and_points_left() -> None:
    rules = allowed()
    assert set(rules) == set(PACKAGES)
    for name, targets in rules.items():
        assert name not in targets
        for target in targets:
            assert name not in rules[target], f"{name} and {target} may import each other"


def test_the_page_forbids_nothing_in_vain_and_allows_nothing_unused() -> None:
    used: dict[str, set[str]] = {name: set() for name in PACKAGES}
    meeting = exceptions("Where `dagger` and `probes` meet:")
    for module, found in imports().items():
        if not within(module, meeting):
            used[package_of(module)] |= {package_of(i.target) for i in found} - {"", package_of(module)}
    assert used == allowed()


def test_every_module_is_on_the_file_map() -> None:
    page = (ROOT / "docs" / "reference" / "modules.md").read_text()
    listed = set(re.findall(r"^\| `((?:[\w]+/)+[\w]+\.py)`", page, re.M))
    actual = {str(p.relative_to(ROOT)) for p in modules().values() if p.name != "__init__.py"}
    assert listed == actual, f"not on the page: {sorted(actual - listed)}; gone: {sorted(listed - actual)}"


# ------------------------------------------------------------------------------------------------------ the rules
@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_left(package: str) -> None:
    meeting = exceptions("Where `dagger` and `probes` meet:")
    rules, wrong = allowed()[package] | {package, ""}, []
    for module, found in imports().items():
        if package_of(module) != package:
            continue
        extra = {"probes"} if within(module, meeting) else set()
        wrong += [f"{module}:{i.line} imports {i.target}" for i in found if package_of(i.target) not in rules | extra]
    assert not wrong


def test_the_page_orders_every_folder_with_code() -> None:
    assert {"sim", "scenarios", "policies", "dagger"} <= set(folders())
    for package, order in folders().items():
        root = ROOT / package.replace(".", "/")
        with_code = {p.relative_to(root).parts[0] for p in root.glob("*/**/*.py") if p.name != "__init__.py"}
        assert sorted(order) == sorted(with_code)


def test_imports_between_folders_point_left() -> None:
    seen, wrong = 0, []
    for package, order in folders().items():
        for module, found in imports().items():
            for i in found:
                here, there = folder_of(module, package), folder_of(i.target, package)
                if here and there and here != there:
                    seen += 1
                    if order.index(there) > order.index(here):
                        wrong.append(f"{module}:{i.line} imports {i.target}")
    assert seen > 500, "hardly any imports were found: this test looks at nothing"
    assert not wrong


def test_imports_name_their_module_in_full() -> None:
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, "sim.core.sources, which names the kernels' cache, finds no relative imports"


def test_no_module_takes_what_another_keeps_private() -> None:
    private = [
        f"{path.relative_to(ROOT)}:{node.lineno} imports {alias.name}"
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and package_of(node.module or "")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not private


def test_only_those_who_think_the_rule_import_scenarios() -> None:
    knowing = exceptions("Who in `policies` may import `scenarios`:")
    found = {
        m
        for m, i in imports().items()
        if package_of(m) == "policies" and "scenarios" in {package_of(x.target) for x in i}
    }
    assert found == knowing


def test_carla_is_imported_at_use_and_within_its_own_folder() -> None:
    users = [(m, i) for m, found in imports().items() for i in found if i.target.split(".")[0] == "carla"]
    assert users, "nothing imports carla: this test looks at nothing"
    assert [m for m, i in users if not m.startswith(("sim.carla", "sim.road.opendrive")) or not i.late] == []


def test_no_module_imports_itself_by_a_detour() -> None:
    known = modules()
    graph = {m: {i.target for i in found if not i.late and i.target in known} - {m} for m, found in imports().items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


# ---------------------------------------------------------------------------------------------- what really loads
def test_the_world_is_loaded_without_torch_and_carla() -> None:
    loaded = loaded_by("import sim, sim.world.embedded, sim.envs.driving_env, sim.metrics.episode")
    assert "sim.world.embedded" in loaded
    assert {
        m for m in loaded if m.split(".")[0] in ("torch", "carla", "ray", "matplotlib", "scenarios", "policies")
    } == set()


def test_scenarios_are_loaded_without_torch() -> None:
    loaded = loaded_by("import scenarios.gym.environments, scenarios.sampling.sample")
    assert {m for m in loaded if m.split(".")[0] in ("torch", "carla", "policies")} == set()
