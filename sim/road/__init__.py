"""Roads: OpenDRIVE, generators, the lane graph and compiled maps."""
