"""Vehicle dynamics: the bicycle model, friction, impairment."""
