"""OpenDRIVE: reading, repairing and writing; CARLA's coordinate frame."""
