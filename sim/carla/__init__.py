"""CARLA: a server of its 0.9.16 protocol, and a backend that drives CARLA servers. Imported only where used."""
