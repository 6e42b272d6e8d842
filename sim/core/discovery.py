"""Imports every module of a folder, so that what its files declare is registered."""

from __future__ import annotations

import importlib
import pkgutil


def import_modules(package: str) -> tuple[str, ...]:
    """Import the modules directly within a package, in the order of their names, and return their full names.

    A registry calls this for its own folder: a new file then needs no line elsewhere. The order does not depend on the
    machine, so that tables built from a registry do not either.
    """
    folder = importlib.import_module(package)
    names = sorted(f"{package}.{module.name}" for module in pkgutil.iter_modules(folder.__path__))
    for name in names:
        importlib.import_module(name)
    return tuple(names)
