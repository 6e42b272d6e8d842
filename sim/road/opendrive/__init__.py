"""OpenDRIVE files: reading, repair and writing; conversions from and to CARLA's coordinate frame."""
