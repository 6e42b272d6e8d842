"""The step's kernels stay clean for CUDA: compiled here to PTX, which wants a compiler (the extra `gpu`) but no GPU.

PTX has virtual registers, so whether they spill is the assembler's to say (docs/explanation/log.md has its answer);
`.local` shows arrays and addresses that cannot live in registers at all.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba import boolean, float32, int32, int64

import sim.core.cuda
from sim.core.cuda import THREADS, blocks, device, per_world, ptx
from sim.core.kernel import kernel
from sim.road.map.map_batch import MapBatch
from sim.world.initial_state import empty_world

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="compiling for CUDA needs the extra: pip install .[gpu]"
)
SIM = Path(sim.core.cuda.__file__).parents[1]


def rows(kind: Any, axes: int = 2) -> Any:
    return numba.types.Array(kind, axes, "C")


F, W = float32, rows(float32)  # a number, and one for every actor of every world
KINDS = rows(int32)
BANK = numba.typeof(MapBatch().arrays)
WORLD = numba.typeof(empty_world(2, 2))
WHEELS = rows(boolean, 1)

# Every `@kernel(inline=True)` of the step, with the types that the step calls it with.
SIGNATURES: dict[str, dict[str, tuple[Any, ...]]] = {
    "dynamics.bicycle": {
        "stopping_speed": (F,) * 4,
        "advance_on_arc": (F,) * 7,
        "bicycle": (F,) * 8,
        "grip_of": (F,),
        "friction_circle": (F,) * 2,
        "grip_limited": (F,) * 4,
        "longitudinal_step": (*[F] * 6, rows(F, 1), F),
        "drive": (*[F] * 8, boolean, F, rows(F, 1), F, F, int64),
    },
    "core.geometry": {
        "wrap": (F,),
        "is_within": (F,) * 8,
        "boxes_touch": (F,) * 12,
        "clamp": (F,) * 3,
        "clamp01": (F,),
        "smoothstep": (F,),
    },
    "traffic.along_path": {
        "first_ahead": (WORLD, int64, int64, W, int64, int64, int64, int64, F),
        "bend_speed": (W, int64, int64, F, F, F, int64),
    },
    "traffic.car_following": {
        "idm": (F,) * 4,
        "project_onto_path": (W, int64, int64, F, F, F),
        "pure_pursuit": (W, int64, int64, F, F, F, F, F, F),
        "leader_gap": (WORLD, int64, int64),
        "step_path_follower": (WORLD, BANK, int64, int64, F),
    },
    "dynamics.friction": {
        "surface_dampness": (rows(F, 1),),
        "wetness_of": (rows(F, 1),),
    },
    "road.graph.traffic_lights": {"light_state": (int32, int32)},
    "world.step": {
        "scenery_hit": (F, F, F, F, F, F, int32, BANK),
        "actor_hit": (int64, int64, W, W, W, W, W, W, KINDS, F, F),
        "count_lines": (int64, int64, F, rows(int32, 1), rows(int32, 1), rows(int32, 1)),
        "outcome_of": (int64, int64, boolean, boolean, boolean),
        "lines_passed": (int32, F, F, F, int32, rows(int64, 1), rows(F, 1), rows(int32, 1), rows(int32, 1)),
    },
    "perception.ego_relative": {
        "overlap_within": (F,) * 5,
        "time_to_touch": (F,) * 11,
        "first_contact": (W, int64, int64, *[F] * 7),
        "nearest_row": (W, int64, int64, F, F),
    },
    "perception.visibility": {
        "occludes": (W, int64, F, F, F, F),
        "is_free": (W, int64, int64, F, F, F, F),
        "add_solids": (W, int64, W, *[F] * 7, int64),
        "visible_from": (W, int64, int64, *[F] * 6, W, F, F, F, rows(F, 1)),
    },
    "road.map.surface": {"surface_at": (F, F, int32, BANK), "wheels_off_road": (F, F, F, F, F, F, int32, BANK, WHEELS)},
}
# Parts of `sim.traffic.step.advance` and `sim.traffic.route_follower.step_followers`: they are compiled with these, as
# one launch each, below.
PARTS = {
    "core.hashing",
    "traffic.all_way_stop",
    "traffic.lane_change",
    "traffic.lane_driver",
    "traffic.pedestrian",
    "traffic.right_of_way",
    "traffic.route_follower",
    "traffic.scripted",
}
# Packages that draw or measure, row by row; for a GPU they want a driver of their own, by pixel or ray.
DRAWING = {"carla", "render", "sensors"}
# The same of modules outside these packages; scenery is stored in double precision, because of its appearances.
BY_PIXEL = {"road.map.surface": {"raster_at"}, "road.map.scenery_item": {"scenery_item"}}


def inline_kernels() -> dict[str, set[str]]:
    """Module of sim -> its functions that are decorated with @kernel(inline=True)."""
    found: dict[str, set[str]] = {}
    for path in sorted(SIM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            marks = [ast.unparse(d) for d in getattr(node, "decorator_list", ())]
            if "kernel(inline=True)" in marks:
                found.setdefault(".".join(path.relative_to(SIM).with_suffix("").parts), set()).add(node.name)  # type: ignore[attr-defined]
    return found


def faults(code: str) -> list[str]:
    """Lines of PTX that a clean function of ours has none of."""
    return re.findall(r"^.*(?:\.f64|\.local\b|\.extern|\bcall\b).*$", code, re.MULTILINE)


def test_every_scalar_function_of_the_step_has_a_signature_here() -> None:
    found = inline_kernels()
    drawing = {m for m in found if m.split(".")[0] in DRAWING}
    assert len(found) > len(drawing) > len(DRAWING)
    without = {
        m: names - set(SIGNATURES.get(m, ())) - BY_PIXEL.get(m, set())
        for m, names in found.items()
        if m not in drawing | PARTS
    }
    assert not {m: names for m, names in without.items() if names}, "say the types that these are called with"
    gone = {m: set(names) - found.get(m, set()) for m, names in SIGNATURES.items()}
    assert not {m: names for m, names in gone.items() if names}


@needs_compiler
@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in SIGNATURES.items() for n in names])
def test_a_scalar_function_compiles_to_clean_ptx(module: str, name: str) -> None:
    function = getattr(importlib.import_module(f"sim.{module}"), name)
    code = ptx(device(function), SIGNATURES[module][name])
    assert ".target sm_80" in code and ".func" in code
    assert not faults(code)


@needs_compiler
def test_the_whole_step_compiles_to_one_clean_launch_with_a_thread_a_world() -> None:
    from sim.world.step import step_worlds

    arrays = rows(F, 1)
    asked = arrays, arrays, WHEELS
    signature = (BANK, WORLD, W, arrays, WHEELS, *asked, F, int64, int64, int64)
    code = ptx(per_world(step_worlds), signature)
    assert code.count(".entry") == 1 and "%tid.x" in code and "%ctaid.x" in code
    assert not faults(code)


@needs_compiler
def test_traffic_compiles_to_one_clean_launch_with_a_thread_a_world() -> None:
    from sim.road.map.lane_arrays import concatenate
    from sim.traffic.state import empty_traffic
    from sim.traffic.step import advance

    typed = [numba.typeof(made) for made in (empty_world(2, 2), empty_traffic(2, 2, scripts=True), concatenate({}, 0))]
    code = ptx(per_world(advance), (*typed, BANK, F, int64))
    assert code.count(".entry") == 1 and "%tid.x" in code
    assert not faults(code)


@needs_compiler
def test_route_followers_compile_to_one_clean_launch_with_a_thread_a_world() -> None:
    from sim.traffic.route_follower import empty_followers, step_followers

    typed = [numba.typeof(made) for made in (empty_world(2, 2), empty_followers(2, 2, tails=True))]
    code = ptx(per_world(step_followers), (*typed, BANK, F, int64))
    assert code.count(".entry") == 1 and "%tid.x" in code
    assert not faults(code)


# ------------------------------------------------------------------------------- the faults can be seen at all
@kernel(inline=True)
def doubled(x):  # type: ignore[no-untyped-def]
    return x * 1.1


@kernel(inline=True)
def calls_doubled(x):  # type: ignore[no-untyped-def]
    return np.float32(doubled(x))


@needs_compiler
@pytest.mark.parametrize("function", [doubled, calls_doubled])
def test_double_precision_is_seen_also_in_what_is_called(function: Any) -> None:
    assert any(".f64" in line for line in faults(ptx(device(function), (F,))))


@needs_compiler
@pytest.mark.parametrize(
    ("module", "name"), [("traffic.car_following", "step_path_follower"), ("world.step", "lines_passed")]
)
def test_copying_a_functions_scope_once_gives_the_same_ptx(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled() -> str:
        code = ptx(device(getattr(importlib.import_module(f"sim.{module}"), name)), SIGNATURES[module][name])
        return re.sub(r"B\d+v\d+B", "", code)  # numba-cuda numbers the functions that it compiles

    quick = compiled()
    monkeypatch.setattr(sim.core.cuda, "_quick_copies", contextlib.nullcontext)
    assert compiled() == quick


@needs_compiler
def test_local_memory_and_foreign_calls_are_seen() -> None:
    from numba import cuda

    @cuda.jit(device=True)
    def indexed(x, i):  # type: ignore[no-untyped-def]
        kept = cuda.local.array(8, numba.float32)
        for k in range(8):
            kept[k] = x * k
        return kept[i]

    @cuda.jit(device=True)
    def speaks(x):  # type: ignore[no-untyped-def]
        print(x)

    assert any(".local" in line for line in faults(ptx(indexed, (F, int64))))
    assert any(".extern" in line for line in faults(ptx(speaks, (int32,))))


# ---------------------------------------------------------------------------------------------- the launch itself
DRIVEN = """
import numpy as np
from scenarios.sampling.sample import slots_needed
from scenarios.sampling.sample import balanced_batch
from scenarios.scenario import load_scenario
from sim.core.cuda import per_world
from sim.world.embedded import EmbeddedWorld
from sim.road.map.surface import DRIVES
from sim.world.step import EGO_LIMITS, WHOLE, step_worlds
from sim.datatypes.action import Action

scenario = load_scenario("rain-turn")
here, there = (EmbeddedWorld(5, simulation=slots_needed(scenario)) for _ in range(2))
for world in (here, there):
    world.reset(balanced_batch(scenario, range(5), "test"))
start = here.world.x.copy()
launch = per_world(step_worlds)
for tick in range(25):
    steer, push = np.float32(0.05) * np.arange(-2, 3, dtype=np.float32), np.ones(5, np.float32)
    here.step(Action(steer, push))
    arrays = there.maps.arrays, there.world, there._goal, EGO_LIMITS, DRIVES
    launch[3, 2](*arrays, steer, push, np.zeros(5, bool), np.float32(0.1), 2, WHOLE, 5)  # six threads for five worlds
assert (np.abs(here.world.x - start)[:, 0] > 0.01).any()
for name in ("x", "y", "yaw", "speed", "path_s", "route_s", "route_offset"):
    apart = np.abs(getattr(here.world, name) - getattr(there.world, name)).max()
    assert apart < 1e-4, (name, apart)
for name in ("tick", "outcome", "shown_decision"):
    assert (getattr(here.world, name) == getattr(there.world, name)).all(), name
assert (there.world.tick > 0).all()
print("same")
"""


@needs_compiler
def test_the_launch_steps_the_same_worlds_as_the_cpu_in_numba_cudas_simulator() -> None:
    # 1e-4: the simulator computes in numpy's float32, the CPU with fused and reordered operations.
    made = subprocess.run(
        [sys.executable, "-c", DRIVEN], cwd=SIM.parent, capture_output=True, text=True,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
    )  # fmt: skip
    assert made.stdout.strip() == "same", made.stderr[-2000:]


def test_blocks_cover_every_world() -> None:
    for worlds in (1, THREADS, THREADS + 1):
        assert (blocks(worlds) - 1) * THREADS < worlds <= blocks(worlds) * THREADS


@needs_compiler
def test_a_function_that_does_not_work_on_worlds_is_refused() -> None:
    with pytest.raises(TypeError, match="wanted start and stop"):
        per_world(doubled)
    with pytest.raises(TypeError, match="is no kernel"):
        device(math.tan)


def test_without_numba_cuda_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim.core.cuda.importlib.util, "find_spec", lambda name: None)
    sim.core.cuda._cuda.cache_clear()
    with pytest.raises(ImportError, match=r"homunculus\[gpu\]"):
        device(kernel(inline=True)(lambda x: x))
    sim.core.cuda._cuda.cache_clear()


def test_the_simulation_does_not_import_numba_cuda() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sim.core.cuda, sim.world.embedded, sys; print('numba.cuda' in sys.modules)"],
        cwd=SIM.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip() == "False"
