"""Clips, window by window."""
