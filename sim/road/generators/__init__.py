"""Map generators: each returns an OpenDRIVE text."""
