"""Programs that were not written for this server: they use CARLA's package as its tutorials do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import carla
import pytest

from tests.support.carla_actors import synchronous


@pytest.fixture
def town(client: Any) -> Iterator[Any]:
    """A synchronous town, from which everything that a program has put there is taken away again."""
    world = synchronous(client)
    yield world
    left = [*world.get_actors().filter("vehicle.*"), *world.get_actors().filter("walker.*")]
    left += list(world.get_actors().filter("sensor.*"))
    client.apply_batch_sync([carla.command.DestroyActor(actor) for actor in left], True)
