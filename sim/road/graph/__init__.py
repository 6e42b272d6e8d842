"""Road graphs: lanes, junctions, routes, sidewalks, placement."""
