"""The operators of the rule language, one file each; importing this package registers them all.

A file declares everything about its operator: how it is written and how tightly it binds, its node in the syntax tree,
its meaning in one situation, over whole traces and tick by tick, and its line in the documentation. The grammar, the
reader and the evaluators read `OPERATORS` and `scenarios.rules.numbers.OPERATIONS`. See docs/how-to/add-an-operator.md.
"""

from __future__ import annotations

import sys

from sim.core.discovery import import_all

import_all(sys.modules[__name__])
