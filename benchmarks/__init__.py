"""Side-by-side measurements of speed; each runs with `python -m benchmarks.NAME`."""
