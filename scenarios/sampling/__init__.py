"""Sampling of episodes from a scenario."""
