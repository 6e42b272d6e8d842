"""Readers of YAML and XML files that record line numbers for error messages."""
