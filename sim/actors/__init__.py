"""Kinds of actors and scenery: bodies, signs, traffic light heads, semantic tags and solid shapes."""
