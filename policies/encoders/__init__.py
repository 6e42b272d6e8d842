"""Image encoders: pictures to features."""
