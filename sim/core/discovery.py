"""Imports every module of a folder, so that files that register something are found without a list of them."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def import_all(package: ModuleType) -> None:
    """Import all modules directly within a package, in alphabetical order; sub-packages are left out."""
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg):
        importlib.import_module(f"{package.__name__}.{module}")
