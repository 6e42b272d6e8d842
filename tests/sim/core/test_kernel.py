"""Kernels: where their machine code is kept, and that threads cover every world once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

from sim.core import kernel as module
from sim.core.cache import cache_root
from sim.core.kernel import compiled_mark, kernel, kernel_cache, kernel_file, mark_compiled, parallel_for


@pytest.mark.parametrize(
    ("worlds", "threads", "least"), [(1, 1, 16), (64, 2, 16), (65, 3, 16), (7, 4, 1), (100, 8, 30)]
)
def test_every_world_is_covered_exactly_once(worlds: int, threads: int, least: int) -> None:
    covered, lock, sizes = np.zeros(worlds, int), threading.Lock(), []

    def run(start: int, stop: int) -> None:
        with lock:
            covered[start:stop] += 1
            sizes.append(stop - start)

    parallel_for(run, worlds, threads, least)
    assert (covered == 1).all()
    assert len(sizes) <= threads
    assert len(sizes) == 1 or min(sizes) >= least


def test_an_error_in_a_thread_is_an_error() -> None:
    def run(start: int, stop: int) -> None:
        if start > 0:
            raise ZeroDivisionError("in the second range")

    with pytest.raises(ZeroDivisionError, match="second range"):
        parallel_for(run, 64, 2)


def test_the_cache_goes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMUNCULUS_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"
    assert (tmp_path / "here").is_dir()


def test_a_cache_that_cannot_be_written_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("HOMUNCULUS_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(PermissionError, match=r"HOMUNCULUS_CACHE=.*below"):
        cache_root()


def test_without_a_home_that_can_be_written_the_cache_is_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.delenv("HOMUNCULUS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert cache_root().parent == tmp_path


@pytest.mark.parametrize(
    ("place", "counts"),
    [
        ("sim/road/map/thing.py", True),  # deep in sim: kernels take constants from it, with a kernel in it or not
        ("sim/viz/thing.py", False),
        ("policies/planning/thing.py", False),
    ],
)
def test_an_edited_source_gets_another_cache_folder_where_kernels_read_it(
    tmp_path: Path, place: str, counts: bool
) -> None:
    def cache_with(text: str) -> str:
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text(text)
        return Path(kernel_cache("", root)).name

    plain = [cache_with(f"COLUMN = {n}\n") for n in (1, 2)]
    kernels = [cache_with(f"from sim.core.kernel import kernel\nx = {n}\n") for n in (1, 2, 2)]
    assert kernels[0] != kernels[1], "an edit kept the old machine code"
    assert kernels[1] == kernels[2], "the folder's name depends on where the project lies"
    assert (plain[0] != plain[1]) == counts


def test_a_group_that_was_marked_as_compiled_is_so_in_a_cache_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMUNCULUS_CACHE", str(tmp_path))
    kernel_cache.cache_clear()
    try:
        assert not compiled_mark("a steep camera").exists()
        mark_compiled("a steep camera")
        assert compiled_mark("a steep camera").exists() and not compiled_mark("another").exists()
    finally:
        kernel_cache.cache_clear()


def test_kernels_release_the_interpreter_and_stay_in_float32() -> None:
    @kernel
    def half(values):  # type: ignore[no-untyped-def]
        return values[0] * np.float32(0.5)

    assert half.targetoptions["nogil"]
    half(np.ones(1, np.float32))
    assert half.nopython_signatures[0].return_type.name == "float32"


def test_a_process_that_waits_for_another_one_s_compilation_only_reads_its_result(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="file locks are a POSIX feature")
    (tmp_path / "doubling.py").write_text(
        "import numpy as np\n"
        "from sim.core.kernel import kernel, kernel_cache\n"
        "@kernel\n"
        "def doubled(values):\n"
        "    return values[0] * np.float32(2.0)\n"
        "if __name__ == '__main__':\n"
        "    import doubling\n"
        "    print(kernel_cache('doubling'), flush=True)\n"
        "    doubling.doubled(np.ones(1, np.float32))\n"
        "    print(sum(doubling.doubled.stats.cache_misses.values()), flush=True)\n"
    )
    environment = {**os.environ, "HOMUNCULUS_CACHE": str(tmp_path / "cache")}
    lock = Path(kernel_cache("doubling")).name  # the same sources: the same folder name in another cache
    name = kernel_file("doubling.doubled", (numba.types.Array(numba.float32, 1, "C"),))
    place = tmp_path / "cache" / "kernels" / lock / name
    place.parent.mkdir(parents=True)
    with place.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = [
            subprocess.Popen(
                [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
                 "import runpy; runpy.run_module('doubling', run_name='__main__')"],
                cwd=Path(module.__file__).parents[2], env=environment, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        for process in waiting:
            assert process.stdout is not None
            assert Path(process.stdout.readline().strip()) == place.parent  # it has come to its first call
            assert process.poll() is None
    misses = [process.communicate(timeout=120)[0].split() for process in waiting]
    assert sorted(misses) == [["0"], ["1"]], "both compiled"
