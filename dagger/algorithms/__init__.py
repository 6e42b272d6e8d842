"""Imitation-learning algorithms: schedules of the expert's share of control."""
