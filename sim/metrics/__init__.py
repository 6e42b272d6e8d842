"""Driving metrics."""
