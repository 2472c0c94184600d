"""Defences of quality metrics, one per file; the file name is the defence's name."""
