"""A metric at work."""
