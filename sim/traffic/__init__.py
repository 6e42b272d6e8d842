"""Traffic: lane drivers, pedestrians, scripted actors, right of way."""
