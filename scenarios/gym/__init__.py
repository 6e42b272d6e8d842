"""Registration with Gymnasium."""
