"""Attacked images on the disk."""
