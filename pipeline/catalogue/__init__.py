"""Entries, read without importing them."""
