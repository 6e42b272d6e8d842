"""Shared by the scripts that draw pictures for docs/: the output folder and the PNG writer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent.parent / "docs" / "images"


def save(picture: np.ndarray, path: Path, mask: int = 0xFC) -> None:
    """Write a PNG and print its size.

    Args:
        picture: (H, W, 3) uint8.
        mask: of the bits that are kept of every colour; without the lowest two a file is a third smaller.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture & mask).save(path, optimize=True)
    print(f"{path}  {picture.shape[1]} x {picture.shape[0]}  {path.stat().st_size / 1000:.0f} kB")


def draw_all(pictures: Mapping[str, Callable[[], np.ndarray]], about: str, mask: int = 0xFC) -> None:
    """The command line of a script that only draws: write every picture into `--out`.

    Args:
        pictures: file name -> what draws it; about: the script's docstring; mask: see `save`.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder that the pictures are written to")
    options = parser.parse_args()
    for name, draw in pictures.items():
        save(draw(), options.out / name, mask)
