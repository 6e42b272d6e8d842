"""Kinds of decision: a file each, with its words and its detector."""
