"""Kinds of road users: bodies, signs, lights, tags and solid shapes."""
