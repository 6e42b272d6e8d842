"""Compiles the camera's kernel in a background process, while the caller compiles the kernels of the step.

On a machine without compiled kernels the camera takes twice as long to compile as the step and the expert together;
with two cores a command is ready when the slower half is. The machine code goes into the cache (`sim.core.kernel`).

    python -m sim.world.precompile      # compile the camera's kernel now
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sim.core.kernel import compiled_mark, mark_compiled

_CAMERA = "camera"  # the group of the camera's kernel


@contextmanager
def compiled_in_background() -> Iterator[None]:
    """Compile the camera's kernel beside the block, unless it is cached; the process ends with the block at the latest.

    A process that calls the kernel in the meantime waits for the result and then reads it.
    """
    if compiled_mark(_CAMERA).exists():
        yield
        return
    with subprocess.Popen(
        [sys.executable, "-m", "sim.world.precompile"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield
        finally:
            process.kill()


def main() -> None:
    """Draw one picture of an empty junction: this compiles the camera's kernel."""
    from sim.datatypes.camera import Camera
    from sim.datatypes.episode import Episode, MapSpec
    from sim.world.embedded import EmbeddedWorld

    backend = EmbeddedWorld(1, Camera())
    backend.reset([Episode("precompile", 0, MapSpec("t_junction"))])
    backend.observe()
    mark_compiled(_CAMERA)


if __name__ == "__main__":
    main()
