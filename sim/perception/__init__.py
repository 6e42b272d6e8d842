"""Perception: visibility and ground truth in ego's frame."""
