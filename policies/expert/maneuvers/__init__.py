"""Maneuvers of the expert: a file each, by the kinds of decision that it carries out."""
