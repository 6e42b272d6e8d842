"""Road graphs: lanes, junctions, routes, sidewalks, traffic light plans and the placement of actors."""
