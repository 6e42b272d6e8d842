"""Diagnostics of learning: self-motion leaks, and copying."""
