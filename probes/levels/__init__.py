"""The levels of the scorecard."""
