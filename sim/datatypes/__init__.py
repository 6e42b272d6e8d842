"""Data types: what the arrays of worlds, maps and actions hold."""
