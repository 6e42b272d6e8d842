"""Recordings of a server: what is written each tick, replay, and films."""
