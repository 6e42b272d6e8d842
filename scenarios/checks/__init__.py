"""Checks of scenario files: lint, leak check and baselines."""
