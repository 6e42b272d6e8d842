"""What the scripts that draw pictures for docs/ share: where they go, and how they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent.parent / "docs" / "images"


def save(picture: np.ndarray, path: Path, mask: int = 0xFC) -> None:
    """Write a PNG and say how large it is.

    Args:
        picture: (H, W, 3) uint8.
        mask: of the bits that are kept of every colour; without the lowest two a file is a third smaller.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture & mask).save(path, optimize=True)
    print(f"{path}  {picture.shape[1]} x {picture.shape[0]}  {path.stat().st_size / 1000:.0f} kB")
