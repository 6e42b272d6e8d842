"""The Backend contract as tests: inherit `BackendConformance` and implement `make_backend`.

    class TestEmbedded(BackendConformance):
        def make_backend(self, worlds):
            return EmbeddedWorld(worlds)

The tests use only `sim.world.backend.Backend`, so that the same claims hold for a world in this process and for an
external simulator. Comparisons are of bytes: a contract with a tolerance would be a different contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sim.actors.registry import KIND, KINDS
from sim.datatypes.action import Action
from sim.datatypes.episode import ActorSpec, Episode, MapSpec, Weather, WeatherChange
from sim.datatypes.vocabulary import DECISIONS, OUTCOME, OUTCOMES, PER_WORLD, UNDECIDED, WEATHER_INDEX
from sim.datatypes.world_state import World
from sim.world.backend import Backend
from sim.world.weather_schedule import weather_at

INTEGERS = (
    *(name for name in PER_WORLD if name != "seed"),
    "kind", "absent_kind", "appearance", "path", "scripted_turn", "route",
)  # fmt: skip
PER_ROUTE = ("route", "route_s", "route_offset")
SPEED_TOLERANCE = 1e-4  # [m/s], float32 sums of 0.1 s steps at up to 20 m/s
PLACE_TOLERANCE = 0.05  # [m]; smoothing displaces another route's lane by up to this much near the junction


def actions(worlds: int, steer: float = 0.0, acceleration: float = 0.0) -> Action:
    """The same action [rad, m/s^2] for every world."""
    return Action(np.full(worlds, steer, np.float32), np.full(worlds, acceleration, np.float32))


def same(a: World, b: World, rows: Sequence[int] | None = None) -> None:
    """Assert that two worlds (or some of their rows) are equal to the byte; names the field that differs."""
    for name in World._fields:
        left, right = getattr(a, name), getattr(b, name)
        if rows is not None:
            left, right = left[list(rows)], right[list(rows)]
        assert left.tobytes() == right.tobytes(), f"{name} differs: {left} and {right}"


class BackendConformance:
    """Tests that every backend must pass. Subclass it in a test module; pytest collects its tests from there."""

    def make_backend(self, worlds: int) -> Backend:
        """Return a new backend of `worlds` worlds, with slots for two other actors in each."""
        raise TypeError(f"{type(self).__name__} does not implement make_backend")

    def make_episodes(self, count: int) -> list[Episode]:
        """Return episodes that the backend can place, with different seeds, weathers, starts and actors."""
        spec = MapSpec("t_junction", (("arm", 40.0),))
        parked = ActorSpec("parked", "van", arm="west", lane="outbound", distance=12.0, side=3.6)
        oncoming = ActorSpec("oncoming", "truck", 0xB03020, lane="outbound", distance=8.0, speed=6.0)
        return [
            Episode(
                "conformance", seed=100 + i, map=spec, distance=20.0 + 1.25 * i, speed=4.0 + 0.5 * (i % 5),
                weather=Weather(
                    precipitation=70.0 * (i % 2), wetness=60.0 * (i % 2), sun_altitude_angle=60.0 - 9.0 * (i % 8)
                ),
                actors=(replace(parked, present=i % 3 != 1), replace(oncoming, present=i % 2 == 0)),
            )
            for i in range(count)
        ]  # fmt: skip

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        """A backend of three running worlds."""
        made = self.make_backend(3)
        made.reset(self.make_episodes(3))
        yield made
        made.close()

    # --------------------------------------------------------------------------------------------- ground truth
    def test_it_is_a_backend(self, backend: Backend) -> None:
        assert isinstance(backend, Backend)
        assert backend.worlds == 3

    def test_the_truth_has_the_shapes_and_types_of_the_contract(self, backend: Backend) -> None:
        actors, routes = backend.simulation.actors, backend.world.route.shape[1]
        for name, array in backend.world._asdict().items():
            shape = (3,) if name in PER_WORLD else (3, routes) if name in PER_ROUTE else (3, actors)
            shape = (3, 14) if name == "weather" else shape
            kind = np.uint32 if name == "seed" else np.int32 if name in INTEGERS else np.float32
            assert array.shape == shape, f"{name} has shape {array.shape}, wanted {shape}"
            assert array.dtype == kind, f"{name} is {array.dtype}, wanted {np.dtype(kind)}"

    def test_the_truth_makes_sense(self, backend: Backend) -> None:
        for _ in range(30):
            backend.step(actions(3, 0.02, 0.5))
            world = backend.world
            for name, array in world._asdict().items():
                assert np.isfinite(array).all(), f"{name} is not finite: {array}"
            assert (world.kind[:, 0] == KIND["car"]).all()
            assert ((world.kind >= 0) & (world.kind < len(KINDS))).all()
            assert ((world.outcome >= 0) & (world.outcome < len(OUTCOMES))).all()
            assert ((world.shown_decision >= UNDECIDED) & (world.shown_decision < len(DECISIONS))).all()
            assert (np.abs(world.yaw[:, 0]) <= np.pi + 1e-6).all()
            assert ((world.map >= 0) & (world.map < len(backend.maps.maps))).all()
            assert (world.route < len(backend.maps.arrays.decision)).all()
            assert (world.speed >= 0).all(), "a vehicle rolls backwards although reverse was not requested"

    def test_nothing_runs_before_the_first_reset(self) -> None:
        backend = self.make_backend(2)
        assert (backend.world.outcome != OUTCOME["running"]).all()
        assert backend.episodes == [None, None]
        before = backend.world.copy()
        backend.step(actions(2))
        same(before, backend.world)
        backend.close()

    def test_a_world_without_an_episode_has_no_picture(self) -> None:
        backend = self.make_backend(2)
        backend.reset(self.make_episodes(1), [1])
        with pytest.raises(ValueError, match="world 0"):
            backend.observe()
        assert len(backend.observe(np.array([1])).camera) == 1
        backend.close()

    # -------------------------------------------------------------------------------------------------- reset
    def test_reset_starts_what_the_episode_says(self, backend: Backend) -> None:
        world = backend.world
        for w, episode in enumerate(self.make_episodes(3)):
            assert backend.episodes[w] == episode
            assert world.seed[w] == episode.seed
            np.testing.assert_allclose(world.speed[w, 0], episode.speed, atol=SPEED_TOLERANCE)
            np.testing.assert_array_equal(world.weather[w], episode.weather.array())
            assert world.weather[w, WEATHER_INDEX["precipitation"]] == episode.weather.precipitation
            assert [k > 0 for k in world.kind[w, 1:3]] == [a.present for a in episode.actors]
            assert world.time_limit[w] == round(episode.time_limit / backend.simulation.tick)
        assert (world.tick == 0).all() and (world.shown_decision == UNDECIDED).all()
        assert (world.outcome == OUTCOME["running"]).all()

    def test_ego_starts_on_its_routes_as_far_from_the_junction_as_asked(self, backend: Backend) -> None:
        world, bank = backend.world, backend.maps.arrays
        for w, episode in enumerate(self.make_episodes(3)):
            ways = [q for q in world.route[w] if q >= 0]
            assert len(ways) >= 2, "a decision needs at least two ways"
            for r, q in enumerate(ways):
                points = bank.points[bank.path_start[q] : bank.path_start[q + 1]]
                nearest = int(np.hypot(points[:, 0] - world.x[w, 0], points[:, 1] - world.y[w, 0]).argmin())
                along = np.cos(points[nearest, 2]), np.sin(points[nearest, 2])
                dx, dy = world.x[w, 0] - points[nearest, 0], world.y[w, 0] - points[nearest, 1]
                assert abs(dy * along[0] - dx * along[1]) < PLACE_TOLERANCE
                s = 0.5 * nearest + dx * along[0] + dy * along[1]
                np.testing.assert_allclose(world.route_s[w, r], s, atol=PLACE_TOLERANCE)
                np.testing.assert_allclose(bank.junction_in[q] - s, episode.distance, atol=PLACE_TOLERANCE)

    def test_resetting_some_slots_leaves_the_others_untouched(self, backend: Backend) -> None:
        for _ in range(5):
            backend.step(actions(3, 0.05, 1.0))
        before, episodes = backend.world.copy(), list(backend.episodes)
        fresh = self.make_episodes(5)[4]
        backend.reset([fresh], [1])
        same(before, backend.world, [0, 2])
        assert backend.episodes == [episodes[0], fresh, episodes[2]]
        assert backend.world.tick[1] == 0 and backend.world.seed[1] == fresh.seed

    def test_a_reset_slot_is_as_a_new_one(self, backend: Backend) -> None:
        first = backend.world.copy()
        for _ in range(8):
            backend.step(actions(3, 0.2, 2.0))
        backend.reset(self.make_episodes(3))
        same(first, backend.world)

    def test_slots_are_filled_in_the_order_given(self, backend: Backend) -> None:
        first = self.make_episodes(3)
        backend.reset(first[:2], [2, 0])
        assert [e.seed for e in backend.episodes if e] == [first[1].seed, first[1].seed, first[0].seed]

    @pytest.mark.parametrize("slots", [[0], [0, 1, 2], [1, 1], [0, 3], [-1, 0]])
    def test_slots_that_do_not_fit_are_refused(self, backend: Backend, slots: list[int]) -> None:
        before = backend.world.copy()
        with pytest.raises(ValueError):
            backend.reset(self.make_episodes(2), slots)
        same(before, backend.world)

    def test_an_episode_that_cannot_be_placed_is_refused_and_nothing_changes(self, backend: Backend) -> None:
        backend.step(actions(3))
        before = backend.world.copy()
        good, other = self.make_episodes(2)
        nowhere = ActorSpec("lost", arm="nowhere")
        for wrong in (replace(other, arm="nowhere"), replace(other, actors=(nowhere,))):
            with pytest.raises(ValueError, match="nowhere"):
                backend.reset([good, wrong], [0, 1])
            same(before, backend.world)

    # --------------------------------------------------------------------------------------------------- step
    def test_a_step_takes_one_tick(self, backend: Backend) -> None:
        before = backend.world.copy()
        backend.step(actions(3))
        assert (backend.world.tick == before.tick + 1).all()
        moved = np.hypot(backend.world.x[:, 0] - before.x[:, 0], backend.world.y[:, 0] - before.y[:, 0])
        np.testing.assert_allclose(moved, before.speed[:, 0] * backend.simulation.tick, rtol=1e-3)

    def test_the_weather_is_that_of_the_episode_at_every_tick(self, backend: Backend) -> None:
        change = WeatherChange(0.5, 1.0, (("precipitation", 40.0), ("sun_azimuth_angle", 300.0)))
        episodes = self.make_episodes(3)
        episodes[1] = replace(episodes[1], changes=(change,))
        backend.reset(episodes)
        for _ in range(20):
            for w, episode in enumerate(episodes):
                now = weather_at(episode, backend.world.tick[w] * backend.simulation.tick)
                np.testing.assert_array_equal(backend.world.weather[w], now)
            backend.step(actions(3))
        assert backend.world.weather[1, WEATHER_INDEX["precipitation"]] == 40.0

    def test_positive_steer_turns_left_and_negative_acceleration_brakes(self, backend: Backend) -> None:
        before = backend.world.copy()
        steer = np.array([0.1, -0.1, 0.0], np.float32)
        for _ in range(3):
            backend.step(Action(steer, np.array([-1.0, 0.0, 1.0], np.float32)))
        turned = backend.world.yaw[:, 0] - before.yaw[:, 0]
        assert turned[0] > 0.01 and turned[1] < -0.01 and abs(turned[2]) < 1e-3
        gained = backend.world.speed[:, 0] - before.speed[:, 0]
        # A pedal of 1 m/s^2 for 0.3 s; engine and brakes may lag behind it by as much as 0.2 s.
        assert -0.301 < gained[0] < -0.1 and abs(gained[1]) < 1e-3 and 0.1 < gained[2] < 0.301

    def test_in_reverse_a_standing_car_drives_backwards_and_brakes_to_a_stand(self, backend: Backend) -> None:
        backend.reset([replace(e, speed=0.0) for e in self.make_episodes(3)])
        start, reverse = backend.world.copy(), np.array([True, True, False])
        ahead = np.cos(start.yaw[:, 0]), np.sin(start.yaw[:, 0])
        for _ in range(15):
            backend.step(replace(actions(3, 0.0, 1.0), reverse=reverse))
        world = backend.world
        moved = (world.x[:, 0] - start.x[:, 0]) * ahead[0] + (world.y[:, 0] - start.y[:, 0]) * ahead[1]
        assert (np.sign(moved) == [-1, -1, 1]).all() and (np.sign(world.speed[:, 0]) == [-1, -1, 1]).all()
        for _ in range(15):
            backend.step(replace(actions(3, 0.0, -3.0), reverse=reverse))
        np.testing.assert_allclose(backend.world.speed[:, 0], 0.0, atol=SPEED_TOLERANCE)

    def test_an_ended_world_stands_still_until_it_is_reset(self, backend: Backend) -> None:
        backend.reset([replace(self.make_episodes(1)[0], time_limit=0.3)], [1])
        for _ in range(3):
            backend.step(actions(3))
        assert backend.world.outcome[1] == OUTCOME["timeout"]
        assert backend.world.outcome[0] == backend.world.outcome[2] == OUTCOME["running"]
        before, picture = backend.world.copy(), backend.observe(np.array([1])).camera
        for _ in range(3):
            backend.step(actions(3, 0.3, 3.0))
        same(before, backend.world, [1])
        assert (backend.observe(np.array([1])).camera == picture).all()
        assert (backend.world.tick[[0, 2]] == before.tick[[0, 2]] + 3).all()
        backend.reset(self.make_episodes(1), [1])
        backend.step(actions(3))
        assert backend.world.tick[1] == 1

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_an_action_that_is_not_finite_is_refused_with_its_world(self, backend: Backend, value: float) -> None:
        before = backend.world.copy()
        for field in ("steer", "acceleration"):
            action = actions(3)
            getattr(action, field)[2] = value
            with pytest.raises(ValueError, match=f"world 2.*{value}"):
                backend.step(action)
        same(before, backend.world)

    def test_an_ended_world_is_asked_for_no_action(self, backend: Backend) -> None:
        backend.reset([replace(self.make_episodes(1)[0], time_limit=0.1)], [2])
        backend.step(actions(3))
        action = actions(3)
        action.steer[2] = np.nan
        before = backend.world.copy()
        backend.step(action)
        same(before, backend.world, [2])
        assert (backend.world.tick[:2] == before.tick[:2] + 1).all()

    @pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
    def test_an_action_of_another_shape_is_refused(self, backend: Backend, shape: tuple[int, ...]) -> None:
        right, wrong = np.zeros(3, np.float32), np.zeros(shape, np.float32)
        before = backend.world.copy()
        for action in (Action(wrong, right), Action(right, wrong)):
            with pytest.raises(ValueError):
                backend.step(action)
        with pytest.raises(ValueError):
            backend.step(Action(right, right, np.zeros(shape, bool)))
        same(before, backend.world)

    def test_a_step_leaves_the_action_as_it_was(self, backend: Backend) -> None:
        action = actions(3, 5.0, 50.0)  # far beyond the limits: clipped inside, not in the caller's arrays
        backend.step(action)
        assert (action.steer == 5.0).all() and (action.acceleration == 50.0).all()

    def test_the_same_episodes_and_actions_give_the_same_bytes(self) -> None:
        rng = np.random.default_rng(3)
        plan = [Action(*rng.normal(0, [[0.1], [1.0]], (2, 3)).astype(np.float32)) for _ in range(25)]
        worlds, pictures = [], []
        for _ in range(2):
            backend = self.make_backend(3)
            backend.reset(self.make_episodes(3))
            for action in plan:
                backend.step(action)
            worlds.append(backend.world.copy())
            pictures.append(backend.observe().camera)
            backend.close()
        same(worlds[0], worlds[1])
        assert pictures[0].tobytes() == pictures[1].tobytes()

    # ------------------------------------------------------------------------------------------------ observe
    def test_an_observation_has_the_shapes_and_types_of_the_contract(self, backend: Backend) -> None:
        seen = backend.observe()
        assert seen.camera.shape == (3, backend.camera.height, backend.camera.width, 3)
        assert seen.camera.dtype == np.uint8
        assert seen.speed.shape == (3,) and seen.speed.dtype == np.float32
        np.testing.assert_array_equal(seen.speed, backend.world.speed[:, 0])
        assert (seen.camera.reshape(3, -1).std(1) > 5).all(), "a picture is blank"

    @pytest.mark.parametrize("slots", [[0], [2, 0], [1, 2], [2, 1, 0], []])
    def test_observing_some_slots_gives_the_same_bytes_as_observing_all(
        self, backend: Backend, slots: list[int]
    ) -> None:
        backend.step(actions(3, 0.1, 1.0))
        every, some = backend.observe(), backend.observe(np.array(slots, int))
        assert some.camera.tobytes() == every.camera[slots].tobytes()
        assert some.speed.tobytes() == every.speed[slots].tobytes()

    def test_looking_changes_nothing_and_looks_the_same_again(self, backend: Backend) -> None:
        before = backend.world.copy()
        first, second = backend.observe(), backend.observe()
        same(before, backend.world)
        assert first.camera.tobytes() == second.camera.tobytes()

    def test_an_observation_stays_what_it_was_when_time_goes_on(self, backend: Backend) -> None:
        seen = backend.observe()
        camera, speed = seen.camera.copy(), seen.speed.copy()
        for _ in range(5):
            backend.step(actions(3, 0.0, 2.0))
        assert (backend.observe().camera != camera).any()
        assert (seen.camera == camera).all() and (seen.speed == speed).all()

    def test_closing_twice_is_no_error(self) -> None:
        backend = self.make_backend(1)
        backend.close()
        backend.close()
