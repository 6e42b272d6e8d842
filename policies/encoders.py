"""From a picture to an embedding: the encoders, and what happens to pixels before them.

An encoder maps pixels (B, 3, H, W), float in -0.5..0.5 and channels-last in memory, to features (B, features).
ENCODERS names them all: a new one is a class with `features` and an entry there.

The ConvNet looks at the image once with large strides: what costs is the number of places, not of channels.
Forward images/s (B = 256) and training images/s (16 x 32 with GRU and Adam) on two cores, first layer varied:
6x6 stride 4, 24 channels: 35 k and 8.0 k; 8x8 stride 4, 32: 28 k and 6.2 k; 5x5 stride 2, 16: 17 k and 3.3 k.
The 6x6 windows overlap by two pixels, so a rain streak or a lane line of one pixel's width is whole in some window.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Three strided convolutions: 2.7 million multiply-adds at 64 x 96.

    Args:
        image: height and width [px], at least 16 each.
    """

    def __init__(self, image: tuple[int, int]) -> None:
        super().__init__()
        height, width = image
        layers: list[nn.Module] = []
        channels = 3
        for out, kernel, stride, padding in ((24, 6, 4, 1), (48, 3, 2, 1), (64, 3, 2, 1)):
            conv = nn.Conv2d(channels, out, kernel, stride, padding)
            # He et al. (2015): keeps the spread from layer to layer. PyTorch's default shrinks it threefold a layer,
            # and then a faint rain takes three times as many steps to be noticed.
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
            layers += [conv, nn.ReLU()]
            height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
            channels = out
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.features = channels * height * width

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) in -0.5..0.5 to features (B, features)."""
        # Channels stay last while flattening: the transpose would cost as much as the last layer.
        features: Tensor = self.layers(pixels).permute(0, 2, 3, 1).flatten(1)
        return features


ENCODERS: dict[str, type[ConvNet]] = {"convnet": ConvNet}


def to_pixels(camera: Tensor) -> Tensor:
    """Make what an encoder takes out of pictures (B, H, W, 3).

    uint8 counts 0..255; a floating picture counts 0..1 (as `jitter` returns it).

    Returns:
        (B, 3, H, W) float32 in -0.5..0.5; channels-last in memory, so nothing is transposed.

    Raises:
        ValueError: for pictures of another type.
    """
    if camera.dtype == torch.uint8:
        pixels = camera.float().mul_(1.0 / 255.0).sub_(0.5)
    elif camera.is_floating_point():
        pixels = camera.float() - 0.5
    else:
        raise ValueError(f"pictures are {camera.dtype}; wanted torch.uint8 (0..255) or a floating type (0..1)")
    return pixels.permute(0, 3, 1, 2)


def jitter(camera: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Vary brightness, contrast and gain of each sequence, the same way at all its ticks.

    A change from tick to tick would flicker as no camera does, and rain is told by flicker.

    Args:
        camera: (B, T, H, W, 3) uint8.
        strength: 0 changes nothing; 0.2 scales colours by exp(+-0.2) and shifts brightness by +-0.1.
        generator: where the chance comes from.

    Returns:
        (B, T, H, W, 3) float32 in 0..1.
    """
    # No gamma: a power of every pixel costs as much as the whole training step that follows.
    shape = (camera.shape[0], 1, 1, 1, 1)
    draw = torch.rand((2, *shape), generator=generator, device=generator.device).to(camera.device) * 2.0 - 1.0
    tint = torch.rand((*shape[:-1], 3), generator=generator, device=generator.device).to(camera.device) * 2.0 - 1.0
    gain = torch.exp(strength * (draw[0] + 0.25 * tint)) / 255.0
    shift = 0.5 * strength * draw[1]
    return torch.addcmul(shift, camera.float(), gain).clamp_(0.0, 1.0)
