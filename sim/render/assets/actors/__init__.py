"""Meshes of kinds of actors and scenery, one declaration a file."""
