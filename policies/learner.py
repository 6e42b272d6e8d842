"""The learner network: camera and speed -> a distribution over controls, with sites for interventions.

    camera ─▶ encoder ─▶ [encoder] ─▶ memory ─▶ [memory] ─▶ head's hidden layer ─▶ [head] ─▶ mixture ─▶ action
    speed  ──────────────────┘          └── state, carried on ──┘

The bracketed names are *sites*.  `edit` changes an activation there and `record` reads it, both as `with` blocks; while
one is open the learner runs tick by tick, otherwise fused over all ticks, with outputs equal to 1e-5.
This module, like its package, must not contain any rule: it cannot import `scenarios`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from policies.encoders.convnet import ENCODERS, to_pixels
from policies.heads.mixture import Mixture, MixtureHead
from policies.hindsight import Hindsight, Target
from policies.memories.gru import MEMORIES
from policies.sites import IntervenablePolicy
from sim.core.ranges import Known, Range, check_ranges
from sim.datatypes.action import Action, Observation
from sim.dynamics.signed_acceleration import action_from_signed_acceleration

SPEED_SCALE = 10.0  # [m/s] unit of speed inside the network
EMBED_BLOCK = 512  # pictures encoded at once without gradients; bounds memory use
# Fewer rows than this use other matrix kernels, which round differently. Measured: padded to 16 rows, the action in a
# world has the same bits at any number of worlds.
LEAST_ROWS = 16


@dataclass(frozen=True)
class LearnerSettings:
    """Architecture of a learner.

    Args:
        encoder: network that embeds a picture; memory: network that carries what was seen from tick to tick.
        image: height and width of the pictures [px]; a run takes those of its camera.
        width: of the embedding; memory_width: of the recurrent state; head_width: of the head's hidden layer.
        mixtures: components of the action's distribution.
        can_reverse: whether its acceleration also selects the gear (`sim.dynamics.signed_acceleration`), for scenarios
            that involve reversing.
        futures: number of anchors of the hindsight heads (`policies.hindsight`); 0 for no such heads.

    Raises:
        ValueError: names the field, its value and the wanted values.
    """

    encoder: Annotated[str, Known(ENCODERS)] = "convnet"
    memory: Annotated[str, Known(MEMORIES)] = "gru"
    image: tuple[int, int] = (64, 96)
    width: Annotated[int, Range(1, 4096)] = 128
    memory_width: Annotated[int, Range(1, 4096)] = 64
    head_width: Annotated[int, Range(1, 4096)] = 64
    mixtures: Annotated[int, Range(1, 64)] = 3
    can_reverse: bool = False
    futures: int = 0

    def __post_init__(self) -> None:
        """Check that the settings can be built."""
        sides = tuple(self.image)
        if len(sides) != 2 or not all(isinstance(side, int) and 16 <= side <= 4096 for side in sides):
            raise ValueError(f"image is {self.image}; wanted height and width in 16..4096 px")
        object.__setattr__(self, "image", sides)  # JSON brings a list
        check_ranges(self)
        if not isinstance(self.futures, int) or not (self.futures == 0 or 2 <= self.futures <= 1024):
            raise ValueError(f"futures is {self.futures!r}; wanted 0 or a whole number in 2..1024")


def _filled(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """function(*rows), computed on at least LEAST_ROWS rows."""
    count = len(rows[0])
    if count >= LEAST_ROWS:
        return function(*rows)
    return function(*(torch.cat((r, r.new_zeros(LEAST_ROWS - count, *r.shape[1:]))) for r in rows))[:count]


class Learner(IntervenablePolicy, nn.Module):
    """The learner policy, whose only inputs are the camera and ego's speed; create it with `build`."""

    needs = "camera"

    def __init__(self, settings: LearnerSettings) -> None:
        nn.Module.__init__(self)
        IntervenablePolicy.__init__(self)
        self.settings = settings
        self.encoder = ENCODERS[settings.encoder](settings.image)
        self.embedding = nn.Linear(self.encoder.features, settings.width)
        self.embed_speed = nn.Linear(1, settings.width, bias=False)
        # Without it five epochs end at a loss of -1.8 nat and no episode passes the junction; with it at -3.8.
        self.level = nn.LayerNorm(settings.width)
        self.memory = MEMORIES[settings.memory](settings.width, settings.memory_width)
        self.head = MixtureHead(self.memory.width, settings.head_width, settings.mixtures)
        # Created last, so that the other layers get the same initial weights with and without it.
        self.hindsight = (
            Hindsight(settings.width, self.memory.width, settings.head_width, settings.futures)
            if settings.futures
            else None
        )

    # ------------------------------------------------------------------------------------------------- sites
    @property
    def sites(self) -> dict[str, int]:
        """Width of the latent at every site, in the order of computation."""
        sites = {"encoder": self.settings.width}
        if self.memory.state_width:
            sites["memory"] = self.memory.state_width
        return sites | {"head": self.settings.head_width}

    @property
    def recurrent_sites(self) -> tuple[str, ...]:
        """Sites whose latent is passed on to the next tick."""
        return ("memory",) if self.memory.state_width else ()

    # ----------------------------------------------------------------------------------------------- forward
    def _embed(self, camera: Tensor, speed: Tensor) -> Tensor:
        """Embedding (N, width) of pictures (N, H, W, 3) and speeds (N,) [m/s]."""
        if tuple(camera.shape[-3:]) != (*self.settings.image, 3):
            raise ValueError(f"pictures have shape {tuple(camera.shape[-3:])}; wanted {(*self.settings.image, 3)}")
        blocks = (camera,) if torch.is_grad_enabled() else camera.split(EMBED_BLOCK)
        seen = [self.embedding(self.encoder(to_pixels(block))) for block in blocks]
        embedding: Tensor = self.level(torch.cat(seen) + self.embed_speed(speed[:, None] / SPEED_SCALE))
        return embedding

    def _tick(self, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one tick through all sites: embedding (B, D), state -> hidden layer of the head (B, H), next state."""
        embedding = self._at("encoder", embedding)
        state = _filled(self.memory.step, embedding, state)
        if self.memory.state_width:
            state = self._at("memory", state)
        return self._at("head", _filled(self.head.hidden, self.memory.read(embedding, state))), state

    def forward(self, camera: Tensor, speed: Tensor, state: Tensor | None = None) -> tuple[Mixture, Tensor]:
        """Compute the distribution over controls at every tick of B sequences.

        Args:
            camera: (B, T, H, W, 3) uint8, or floating in -0.5..0.5.
            speed: (B, T) [m/s].
            state: (B, Dm) recurrent state before the first tick; zero when None.

        Returns:
            A Mixture with leading axes (B, T), and the state after the last tick.
        """
        worlds, ticks = camera.shape[:2]
        state = self.begin(worlds) if state is None else state
        embedding = self._embed(camera.flatten(0, 1), speed.flatten()).unflatten(0, (worlds, ticks))
        if self._edits or self._tapes:
            hidden = []
            for tick in range(ticks):
                one, state = self._tick(embedding[:, tick], state)
                hidden.append(one)
            return self.head.mixture(torch.stack(hidden, 1)), state
        seen, state = self.memory.unroll(embedding, state)
        return self.head.mixture(self.head.hidden(seen)), state

    def loss(
        self,
        camera: Tensor,
        speed: Tensor,
        steer: Tensor,
        acceleration: Tensor,
        valid: Tensor,
        future: Target | None = None,
        state: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The two training losses of a batch of sequences, and the final recurrent state.

        Invalid ticks still pass through the memory.

        Args:
            camera: (B, T, H, W, 3) uint8, or floating in -0.5..0.5.
            speed: (B, T) [m/s]; steer: (B, T) [rad]; acceleration: (B, T) [m/s^2].
            valid: (B, T) bool.
            future: of the demonstrator at every tick (B, T, ...); None for no hindsight loss.
            state: (B, Dm) recurrent state before the first tick; zero when None.

        Returns:
            The mean negative log likelihood [nat] of the expert's controls over the valid ticks, the hindsight loss of
            the memory [nat], 0 without `future`, and the state after the last tick, detached.

        Raises:
            ValueError: if no tick is valid.
        """
        worlds, ticks = camera.shape[:2]
        embedding = self._embed(camera.flatten(0, 1), speed.flatten()).unflatten(0, (worlds, ticks))
        return self.loss_of(embedding, steer, acceleration, valid, future, state)

    def loss_of(
        self,
        embedding: Tensor,
        steer: Tensor,
        acceleration: Tensor,
        valid: Tensor,
        future: Target | None = None,
        state: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same as `loss`, from embeddings (B, T, width) in place of pictures and speeds; see `embed`."""
        if not bool(valid.any()):
            raise ValueError(f"none of the {valid.numel()} ticks is valid; a loss needs at least one")
        state = self.begin(len(embedding)) if state is None else state
        seen, state = self.memory.unroll(embedding, state)
        mixture = self.head.mixture(self.head.hidden(seen))
        # A padded tick may contain any value, also NaN: both sides are masked, or its gradient would be NaN * 0.
        controls = torch.where(valid[..., None], torch.stack((steer, acceleration), -1), 0.0)
        loss = torch.where(valid, mixture.nll(controls), 0.0).sum() / valid.sum()
        behind = loss.new_zeros(())
        if future is not None and self.hindsight is not None:
            behind = self.hindsight.loss(self.hindsight.remembered(seen), future)
        return loss, behind, state.detach()

    def embed(self, camera: Tensor, speed: Tensor) -> Tensor:
        """Compute embeddings (N, width) of pictures (N, H, W, 3) at speeds (N,) [m/s], without gradients."""
        with torch.no_grad():
            return self._embed(camera, speed)

    def frame_losses(self, camera: Tensor, speed: Tensor, future: Target) -> Tensor:
        """(N,) the hindsight loss [nat] of single pictures (N, H, W, 3) at speeds (N,) [m/s]; see `policies.hindsight`.

        Raises:
            ValueError: for a learner without hindsight heads.
        """
        if self.hindsight is None:
            raise ValueError("this learner has no hindsight heads; build it with futures > 0")
        return self.hindsight.losses(self.hindsight.seen(self._embed(camera, speed)), future)

    # ---------------------------------------------------------------------------------------- as a policy
    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.embedding.weight.device

    def begin(self, worlds: int) -> Tensor:
        """The recurrent state (worlds, Dm) at the start of an episode: zeros; (worlds, 0) without a memory."""
        return torch.zeros(worlds, self.memory.state_width, device=self.device)

    def reset(self, memory: Tensor, mask: np.ndarray) -> Tensor:
        """A copy of the state, reset to zero in the worlds where mask (B,) bool is True."""
        return memory.masked_fill(torch.as_tensor(mask, dtype=torch.bool, device=memory.device)[:, None], 0.0)

    def act(self, observation: Observation, memory: Tensor) -> tuple[Action, Tensor]:
        """The actions in B worlds and the next state; no gradients, evaluation mode."""
        trained = self.training
        if trained:
            self.eval()
        try:
            with torch.no_grad():
                camera = torch.from_numpy(np.require(observation.camera, requirements=["C", "W"])).to(self.device)
                speed = torch.as_tensor(np.array(observation.speed, np.float32), device=self.device)
                hidden, memory = self._tick(_filled(self._embed, camera, speed), memory)
                controls = _filled(lambda rows: self.head.mixture(rows).controls(), hidden).cpu().numpy()
        finally:
            if trained:
                self.train()
        if self.settings.can_reverse:
            return action_from_signed_acceleration(
                controls[:, 0].copy(), controls[:, 1], np.asarray(observation.speed, np.float32)
            ), memory
        return Action(steer=controls[:, 0].copy(), acceleration=controls[:, 1].copy()), memory


def build(settings: LearnerSettings, seed: int) -> Learner:
    """Create a learner with initial weights from settings and seed alone; the global generator is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Learner(settings)


def untrained_twin(learner: Learner | LearnerSettings, seed: int) -> Learner:
    """The same architecture with initial weights: a baseline for what an untrained network encodes."""
    return build(learner.settings if isinstance(learner, Learner) else learner, seed)
