"""Data sets: which files belong to one, which are taken, and whether they are the right ones."""
