"""Kinds of actors and scenery, one declaration a file."""
