"""Gymnasium environments of scenarios."""
