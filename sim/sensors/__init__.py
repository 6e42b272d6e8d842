"""Sensors: depth, semantic and instance segmentation cameras, bird's-eye view, lidar, ray casts, IMU, GNSS."""
