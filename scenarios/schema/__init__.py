"""The schema of a scenario file: its keys and their values."""
