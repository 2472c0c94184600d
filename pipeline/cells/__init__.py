"""Cells: what the benchmark runs, what it writes, and when it runs a cell again. No torch."""
