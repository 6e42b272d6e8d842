"""Vehicle dynamics: the bicycle model, road friction, drowsy steering and signed acceleration."""
