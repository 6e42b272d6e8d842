"""Visualisation for people: maps from above, markers, videos."""
