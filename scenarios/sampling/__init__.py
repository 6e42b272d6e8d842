"""Sampling: episodes out of a scenario."""
