"""Image encoders of the learner, pixel preprocessing and colour jitter.

An encoder maps pixels (B, 3, H, W), float in -0.5..0.5 and channels-last in memory, to features (B, features).
ENCODERS registers them all: a new one is a class with `features` and an entry there.

The ConvNet reduces the image with large strides: cost depends on the number of positions more than of channels, and
channels cost by the vector: 16 fill one register of AVX-512. Forward and backward of 128 pictures on one core, ms:
channels 16-32-64: 14; 16-48-64: 19; 24-48-64: 26; 32-64-64: 37; 16-32-64 with 8x8 windows: 17; with stride 2 first: 59.
The 6x6 windows overlap by two pixels, so that every rain streak or lane line one pixel wide is whole in some window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Three strided convolutions: 1.5 million multiply-adds at 64 x 96.

    Args:
        image: height and width [px], at least 16 each.
    """

    def __init__(self, image: tuple[int, int]) -> None:
        super().__init__()
        height, width = image
        layers: list[nn.Module] = []
        channels = 3
        for out, kernel, stride, padding in ((16, 6, 4, 1), (32, 3, 2, 1), (64, 3, 2, 1)):
            conv = nn.Conv2d(channels, out, kernel, stride, padding)
            # He et al. (2015): preserves the variance across layers. PyTorch's default shrinks the spread threefold per
            # layer, and then learning to detect faint rain takes three times as many steps.
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            layers += [conv, nn.ReLU()]
            height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
            channels = out
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.features = channels * height * width

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) in -0.5..0.5 to features (B, features)."""
        # Channels stay last while flattening: a transpose would cost as much as the last layer.
        features: Tensor = self.layers(pixels).permute(0, 2, 3, 1).flatten(1)
        return features


# Called with (height, width) [px]; returns a module with `features`.
ENCODERS: dict[str, Callable[[tuple[int, int]], Any]] = {"convnet": ConvNet}


def to_pixels(camera: Tensor) -> Tensor:
    """Convert pictures (B, H, W, 3) to the input of an encoder.

    uint8 is in 0..255; a floating picture is in -0.5..0.5 (as `jitter` returns it) and is not rescaled.

    Returns:
        (B, 3, H, W) float32 in -0.5..0.5; channels-last in memory, so nothing is transposed.

    Raises:
        ValueError: for pictures of another type.
    """
    if camera.dtype == torch.uint8:
        pixels = camera.float().mul_(1.0 / 255.0).sub_(0.5)
    elif camera.is_floating_point():
        pixels = camera.float()
    else:
        raise ValueError(f"pictures are {camera.dtype}; wanted torch.uint8 (0..255) or a floating type (-0.5..0.5)")
    return pixels.permute(0, 3, 1, 2)


def jitter(camera: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Augment brightness, contrast and gain of each sequence, the same way at all its ticks.

    A change from tick to tick would flicker as no camera does, and flicker is what distinguishes rain.

    Args:
        camera: (B, T, H, W, 3) uint8.
        strength: 0 changes nothing; 0.2 scales colours by exp(+-0.2) and shifts brightness by +-0.1.
        generator: source of random numbers.

    Returns:
        (B, T, H, W, 3) float32 in -0.5..0.5.
    """
    # No gamma: a power of every pixel costs as much as the training step that follows.
    shape = (camera.shape[0], 1, 1, 1)
    draw = torch.rand((2, *shape), generator=generator, device=generator.device).to(camera.device) * 2.0 - 1.0
    tint = torch.rand((*shape[:-1], 3), generator=generator, device=generator.device).to(camera.device) * 2.0 - 1.0
    gain = (torch.exp(strength * (draw[0] + 0.25 * tint)) / 255.0).repeat(1, 1, 1, camera.shape[3])
    shift = 0.5 * strength * draw[1] - 0.5
    # In place and already centred: every new array of this size costs as much in page faults as in arithmetic. A gain
    # per column and colour gives rows that multiply as vectors; three values at a time take twice as long.
    return camera.float().flatten(3).mul_(gain).add_(shift).clamp_(-0.5, 0.5).view(camera.shape)
