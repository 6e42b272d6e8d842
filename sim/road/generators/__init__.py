"""Map generators: functions that return OpenDRIVE text."""
