"""Training: demonstrations, fitting, and the DAgger loop."""
