"""Encoders: from pictures to features."""
