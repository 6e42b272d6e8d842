"""Algorithms of imitation: schedules of the expert's share."""
