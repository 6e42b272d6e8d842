"""Runs the command line as `python -m dagger`."""

import sys

from dagger.cli import main

sys.exit(main())
