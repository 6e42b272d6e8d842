"""Everything that speaks CARLA: its frames, its map parser and its wire. Nothing here is imported before it is used."""
