"""Path planning: parking and Reeds-Shepp curves."""
