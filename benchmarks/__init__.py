"""Measurements of speed and memory; each runs with `python -m benchmarks.NAME`."""
