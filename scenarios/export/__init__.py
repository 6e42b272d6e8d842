"""Export of episodes to the formats of other simulators."""
