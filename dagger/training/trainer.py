"""DAgger (Ross, Gordon, Bagnell 2011), readable from top to bottom, with behaviour cloning beside it.

    round 0        expert drives N0 episodes         fit                        -> checkpoints/round-0
    round i        learner and expert share N1 more  fit on all new, some old   -> checkpoints/dagger-i
    beside it      the expert alone drives N1 more   fit on all new, some old   -> checkpoints/cloning-i

Where the expert drives alone, its driving is perturbed (`dagger.training.perturbation`). The learner predicts controls
and the expert's future (`policies.hindsight`). The second arm is behaviour cloning with the same number of episodes,
epochs and windows. The arms run in parallel, each on its share of the threads: one fit hardly gains from a second core,
two fits do. Every step writes its result to disk atomically and is skipped if the result exists; a run resumes by this
alone.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch

from dagger.algorithms.base import ALGORITHMS, GATES, SCHEDULES, BetaSchedule
from dagger.algorithms.registry import ARMS
from dagger.runs.folder import RunFolder, versions
from dagger.training.collect import collect
from dagger.training.demonstrations import DemonstrationStore
from dagger.training.fit import fit
from dagger.training.futures import clustered
from dagger.training.loader import RenderingLoader
from dagger.training.perturbation import Offsets
from dagger.training.pilot import bounded
from dagger.training.steps import FitSettings
from policies.checkpoint import load_policy, save_policy
from policies.evaluate import evaluate
from policies.expert.expert import Expert
from policies.learner import Learner, LearnerSettings, build
from scenarios.sampling.sample import balanced_batch, slots_needed
from scenarios.scenario import Scenario
from sim.core.progress import Progress
from sim.core.ranges import Known, OutOfRangeError, Range, check_ranges, refusal
from sim.datatypes.camera import Camera
from sim.world.context import RunContext
from sim.world.decisions.registry import backs_up

# First seeds of disjoint ranges: training, evaluation after a round, the pilot, and (in probes) the scorecard.
TRAIN_SEEDS, EVALUATION_SEEDS, PILOT_SEEDS = 0, 1_000_000, 1_500_000
PILOT = 128  # episodes of the pilot, which tests the strength of perturbations


@dataclass(frozen=True)
class TrainSettings:
    """How much is demonstrated, and how the learner is trained.

    Args:
        episodes: expert episodes before the first fit.
        rounds: DAgger rounds after the first fit.
        per_round: episodes collected in each round.
        epochs: passes of the joint stage in the first fit.
        round_epochs: passes of the joint stage in every later fit.
        evaluation: episodes driven after each round for the learning curve, per split.
        worlds: number of worlds that are simulated at once.
        threads: threads of the simulator and of torch; a run repeats byte by byte only with the same number.
        replay: episodes of earlier rounds in a pass of a later fit, for each new one.
        hindsight: "on" trains the learner to predict the expert's future as well, "off" to predict controls alone.
        futures: number of typical futures that hindsight classifies, of paths and of progress each.
        takeovers: ticks of every drive of a DAgger round from which the expert's own future is made known.
        perturb: strength of the steering and pedal offsets while the expert demonstrates; 0 is none, and a pilot lowers
            it if the expert fails.
        perturb_rounds: also perturb the expert's share of driving in DAgger rounds.
        cache_mb: memory for rendered frames [MiB]; the others are rendered again at every use.
        learner: architecture of the learner.
        fit: hyperparameters of a fit.
        gate: decides who drives in DAgger rounds: "mixture" (the expert with probability beta), "disagreement" (the
            expert where the actions differ) or "always_expert".
        beta: the expert's share of control in DAgger rounds.
        camera: the learner's camera.
    """

    episodes: Annotated[int, Range(1)] = 4000
    rounds: Annotated[int, Range(1)] = 2
    per_round: Annotated[int, Range(1)] = 200
    epochs: Annotated[int, Range(1)] = 1
    round_epochs: Annotated[int, Range(1)] = 1
    replay: Annotated[float, Range(0)] = 3.0
    evaluation: Annotated[int, Range(1)] = 32
    worlds: Annotated[int, Range(1, 65536)] = 64
    threads: Annotated[int, Range(1, 256)] = 2
    hindsight: Literal["on", "off"] = "on"
    futures: Annotated[int, Range(2, 1024)] = 16
    takeovers: Annotated[int, Range(0)] = 4
    perturb: Annotated[float, Range(0, 10)] = 1.0
    perturb_rounds: bool = False
    cache_mb: Annotated[int, Range(0)] = 6000
    learner: LearnerSettings = field(default_factory=LearnerSettings)
    fit: FitSettings = field(default_factory=FitSettings)
    gate: Annotated[str, Known(GATES)] = "mixture"
    beta: BetaSchedule = field(default_factory=BetaSchedule)
    camera: Camera = field(default_factory=Camera)

    def __post_init__(self) -> None:
        """Refuse unknown names, and `learner.futures`, which a run sets from `futures`.

        Raises:
            ValueError: naming the known ones, the allowed values, or the setting to use.
        """
        check_ranges(self)
        if self.beta.shape not in SCHEDULES:
            raise refusal("beta.shape", self.beta.shape, Known(SCHEDULES))
        asked, drawn = self.learner.image, (self.camera.height, self.camera.width)
        if asked not in (drawn, LearnerSettings().image):
            size = f"--train.camera.height and --train.camera.width, {drawn[0]} and {drawn[1]}"
            raise OutOfRangeError("learner.image", asked, f"no other size of pictures than {size}")
        if self.learner.futures:
            raise ValueError(f"learner.futures is {self.learner.futures}; a run sets it, from --train.futures")

    @classmethod
    def quick(cls, share: float = 1.0) -> TrainSettings:
        """The reduced settings of --quick.

        Args:
            share: of the episodes, where these are long (`probes.results.quick_share`).
        """
        usual = {"episodes": (360, 120), "per_round": (40, 16), "evaluation": (12, 4)}  # and the least of each
        counts: dict[str, Any] = {k: max(least, round(share * n)) for k, (n, least) in usual.items()}
        fit = FitSettings(learning_rate=1.2e-3, encoder_steps=400, memory_epochs=4, memory_again=1)
        return cls(rounds=1, fit=fit, **counts)


class Trainer:
    """Trains both arms of one scenario and seed, in one run folder.

    Args:
        run: folder of all results.
        scenario: what is demonstrated.
        seed: of episodes, weights and batches.
        settings: how much is demonstrated, and how the learner is trained.
        context: where the worlds run, with the worlds and threads of `settings`; its progress receives every stage. By
            default `RunContext()`.
        scalars: called with (tag, value, step), for TensorBoard.
    """

    def __init__(
        self,
        run: RunFolder,
        scenario: Scenario,
        seed: int,
        settings: TrainSettings,
        context: RunContext | None = None,
        scalars: Callable[[str, float, int], None] | None = None,
    ) -> None:
        self.run, self.scenario, self.seed, self.settings = run, scenario, seed, settings
        self.context = replace(context or RunContext(), worlds=settings.worlds, threads=settings.threads)
        self.scalars = scalars or (lambda tag, value, step: None)
        self.stop = threading.Event()
        self._loaders: dict[str, RenderingLoader] = {}  # arm -> its latest loader, whose rendered frames are used again
        self._log = threading.Lock()  # guards the files that both arms write to
        self.store = DemonstrationStore(run.path / "demonstrations")
        self.expert = Expert.of(scenario)

    def train(self) -> Path:
        """Run round 0 and then both arms; returns the folder of the last DAgger checkpoint."""
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs 3 % of a step
        torch.set_num_threads(max(1, self.settings.threads // len(ARMS)))
        self._round("round", 0, self.context)
        if self.settings.threads < len(ARMS) or self.context.limit is not None:  # servers run one arm at a time
            for arm in ARMS:
                self._arm(arm, self.context)
        else:
            self._abreast()
        torch.set_num_threads(self.settings.threads)
        return self.run.checkpoint(self._name(ARMS[0], self.settings.rounds))

    def _arm(self, arm: str, context: RunContext) -> None:
        for i in range(1, self.settings.rounds + 1):
            self._round(arm, i, context)

    def _abreast(self) -> None:
        """Run both arms in parallel threads; torch and the kernels release the interpreter while they compute."""
        rounds = self.settings.rounds
        lanes = ParallelProgress(self.context.progress, f"rounds 1 to {rounds}", len(ARMS) * rounds)
        share = self.settings.threads // len(ARMS)
        each = {arm: replace(self.context, threads=share, progress=lanes.lane()) for arm in ARMS}
        with ThreadPoolExecutor(len(ARMS), thread_name_prefix="arm") as pool:
            running = [pool.submit(self._arm, arm, context) for arm, context in each.items()]
            try:
                for arm in running:
                    arm.result()
            except BaseException:
                self.stop.set()  # the other arm ends at its next step instead of minutes later
                raise

    @staticmethod
    def _name(arm: str, i: int) -> str:
        return "round-0" if i == 0 else f"{arm}-{i}"

    def _round(self, arm: str, i: int, context: RunContext) -> None:
        name = self._name(arm, i)
        before = None if i == 0 else load_policy(self.run.checkpoint(self._name(arm, i - 1)))[0]
        if name not in self.store.tags():
            self._collect(arm, i, before, context)
        if not self.run.checkpoint(name).exists():
            self._fit(arm, i, before, context)
        if not self.run.metrics.has(f"evaluate/{name}"):
            self._evaluate(arm, i, context)

    def _collect(self, arm: str, i: int, learner: Learner | None, context: RunContext) -> None:
        settings, name = self.settings, self._name(arm, i)
        count = settings.episodes if i == 0 else settings.per_round
        # Both arms use the same episodes in the same round; only the driver differs.
        first = TRAIN_SEEDS + (0 if i == 0 else settings.episodes + (i - 1) * settings.per_round)
        episodes = balanced_batch(self.scenario, range(self._seed(first), self._seed(first) + count), "train")
        mixed = i > 0 and ALGORITHMS[arm].uses_learner  # the expert drives round 0, before there is a learner
        offsets = self._offsets(context) if not mixed or settings.perturb_rounds else None
        context.progress.stage(f"{name}: driving {count} episodes", count)
        with context.backend(context.at_once(count), settings.camera, slots_needed(self.scenario)) as backend:
            found = collect(
                backend, self.expert, learner if mixed else None, episodes,
                settings.beta, i if mixed else 0,
                "dagger" if mixed else "expert", digest_of(learner) if mixed and learner else "", versions(),
                on_done=context.progress.advance, offsets=offsets,
                takeovers_each=settings.takeovers if settings.hindsight == "on" else 0,
                gate=settings.gate,
            )  # fmt: skip
            said = {
                "substitutions": backend.substitutions,
                "recovered_errors": backend.recovered_errors,
                "versions": backend.versions,
            }
            if any(said.values()):
                with self._log:
                    self.run.metrics.add(f"backend/{name}", said)
        with self._log:
            self.store.append(found, name)

    def _offsets(self, context: RunContext) -> Offsets | None:
        """The offsets of this scenario's demonstrations: as requested, or smaller if the expert fails with them."""
        strength = self.settings.perturb
        if not strength:
            return None
        key = "perturb"
        with self._log:
            row = next((r for r in self.run.metrics.rows() if r["key"] == key), None)
        if row is None:
            first = self._seed(PILOT_SEEDS)
            episodes = balanced_batch(self.scenario, range(first, first + PILOT), "train")
            row = bounded(self.expert, self.scenario, episodes, strength, self.settings.camera, context)
            with self._log:
                self.run.metrics.add(key, row)
        return Offsets().scaled(row["strength"]) if row["strength"] else None

    def _seed(self, offset: int) -> int:
        return self.seed * 10_000_000 + offset

    def _fit(self, arm: str, i: int, learner: Learner | None, context: RunContext) -> None:
        settings, name = self.settings, self._name(arm, i)
        shards = [self._name(arm, j) for j in range(i + 1)]
        demonstrations = self.store.read(shards)
        if self.store.damaged:
            raise ValueError(f"cannot fit {name}: {self.store.damaged}")
        before = self._loaders.get(arm if i > 1 else "round")
        loader = RenderingLoader(demonstrations, settings.camera, context, settings.cache_mb * 2**20, before)
        self._loaders[arm] = loader
        if learner is None:
            learner = self._fresh(loader)
        epochs = settings.round_epochs if i else settings.epochs
        labels = sum(d.labels for d in demonstrations)
        context.progress.stage(f"{name}: fitting {labels:,} labels", 1.0)
        place = {"done": 0.0, "step": 0}

        def on_step(stage: str, share: float, loss: float, behind: float) -> None:
            told = [f"{what} {value:+.2f}" for what, value in (("loss", loss), ("hindsight", behind)) if value == value]
            context.progress.advance(share - place["done"], " ".join((stage, *told)))
            place["done"], place["step"] = share, place["step"] + 1
            for tag, value in (("loss", loss), ("hindsight", behind)):
                if value == value:
                    self.scalars(f"{arm}/{tag}", value, i * 10_000 + int(place["step"]))
            if self.stop.is_set():
                raise InterruptedError(f"{name} was stopped because the other arm failed")

        state = self.run.path / "training" / name
        losses = fit(
            learner, loader, settings.fit, epochs, (self.seed, ARMS.index(arm) if i else 0, i), state, on_step,
            self._chooser(i, len(demonstrations)), abreast=i == 0 and settings.threads > 1, first=i == 0,
        )  # fmt: skip
        about = {
            "scenario": self.scenario.name, "scenario_digest": self.scenario.digest(), "rule": str(self.scenario.rule),
            "seed": self.seed, "arm": arm if i else "round", "round": i, "labels": labels,
            "camera": asdict(settings.camera),
        }  # fmt: skip
        save_policy(self.run.checkpoint(name), learner, about)
        with self._log:
            self.run.metrics.add(f"fit/{name}", {"arm": arm, "round": i, "labels": labels, "losses": losses})

    def _fresh(self, loader: RenderingLoader) -> Learner:
        """An untrained learner, whose anchors are the typical futures of the first demonstrations."""
        asked = self.settings.futures if self.settings.hindsight == "on" else 0
        camera, reverses = self.settings.camera, backs_up(self.scenario.decision_spec)
        image = (camera.height, camera.width)
        learner = build(replace(self.settings.learner, image=image, can_reverse=reverses, futures=asked), self.seed)
        if learner.hindsight is not None:
            anchors = clustered(loader.futures, asked, self.seed)
            learner.hindsight.set_anchors(torch.from_numpy(anchors.path), torch.from_numpy(anchors.progress))
        return learner

    def _chooser(self, i: int, count: int) -> Callable[[np.random.Generator], np.ndarray] | None:
        """Draws the episodes of a pass of round i, of `count`: all new ones and some others. None takes all."""
        if i == 0:
            return None
        new = self.settings.per_round
        old = min(count - new, round(self.settings.replay * new))

        def choose(rng: np.random.Generator) -> np.ndarray:
            again = rng.choice(count - new, old, replace=False)
            return np.concatenate([np.sort(again), np.arange(count - new, count)])

        return choose

    def _evaluate(self, arm: str, i: int, context: RunContext) -> None:
        settings, name = self.settings, self._name(arm, i)
        learner = load_policy(self.run.checkpoint(name))[0]
        row: dict[str, Any] = {"arm": arm, "round": i, "labels": self._labels(arm, i)}
        context.progress.stage(f"{name}: driving alone", 2 * settings.evaluation)
        for split in ("train", "test"):
            first = self._seed(EVALUATION_SEEDS)
            episodes = balanced_batch(self.scenario, range(first, first + settings.evaluation), split)
            tally = evaluate(learner, self.scenario, episodes, settings.camera, context)
            row[split] = {
                "agreement": float(tally.agrees.mean()), "arrived": float(tally.arrived.mean()),
                "episodes": len(episodes), "progress": float(np.mean(tally.progress)),
            }  # fmt: skip
            self.scalars(f"{arm}/agreement/{split}", row[split]["agreement"], i)
        with self._log:
            self.run.metrics.add(f"evaluate/{name}", row)

    def _labels(self, arm: str, i: int) -> int:
        wanted = {self._name(arm, j) for j in range(i + 1)}
        return sum(int(str(e["labels"])) for e in self.store.entries() if e["tag"] in wanted)


class ParallelProgress:
    """Combines the progress of several threads in one bar.

    Args:
        progress: the bar.
        text: its stage; rounds: number of rounds of all lanes together.
    """

    STEPS = 3  # of a round: driving, fitting, driving alone

    def __init__(self, progress: Progress, text: str, rounds: int) -> None:
        self._progress, self._lock, self._notes = progress, threading.Lock(), list[str]()
        progress.stage(text, float(rounds * self.STEPS))

    def lane(self) -> Progress:
        """The progress interface of one more thread."""
        self._notes.append("")
        return _Lane(self, len(self._notes) - 1)

    def tell(self, lane: int, by: float, note: str) -> None:
        """Report that a lane has finished `by` more stages and is at `note`."""
        with self._lock:
            self._notes[lane] = note
            self._progress.advance(by, " | ".join(note for note in self._notes if note))


class _Lane:
    def __init__(self, lanes: ParallelProgress, number: int) -> None:
        self._lanes, self._number = lanes, number
        self._text, self._total, self._done = "", 1.0, 0.0

    def stage(self, text: str, total: float) -> None:
        """Begin a stage; the stage before counts as done, whatever it reported."""
        rest = 1.0 - self._done / self._total if self._text else 0.0
        self._text, self._total, self._done = text, max(total, 1e-9), 0.0
        self._lanes.tell(self._number, rest, text)

    def advance(self, by: float, note: str = "") -> None:
        """Report a share of this stage."""
        self._done += by
        self._lanes.tell(self._number, by / self._total, f"{self._text.split(':')[0]} {note}".strip())


def digest_of(learner: Learner) -> str:
    """SHA-256 over a learner's weights, by name: the version of a policy that took part in a demonstration."""
    digest = hashlib.sha256()
    for name, tensor in sorted(learner.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
