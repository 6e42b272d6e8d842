"""Evaluation: suites of episodes driven by a driver, and their summary."""
