"""Data types: the arrays of worlds, maps, actions and observations, and the settings of episodes."""
