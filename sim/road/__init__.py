"""Roads: OpenDRIVE files, map generators, lane graphs and compiled maps."""
