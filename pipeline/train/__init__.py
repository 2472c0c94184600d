"""Training of the networks that the project carries: `python -m pipeline train NAME`."""
