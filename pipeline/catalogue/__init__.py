"""Metrics, attacks and defences, read from their files without importing them."""
