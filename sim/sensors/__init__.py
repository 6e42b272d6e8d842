"""Sensors: depth, semantic and instance cameras, lidar, IMU, GNSS."""
