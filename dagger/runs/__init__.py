"""Run folders and result files."""
