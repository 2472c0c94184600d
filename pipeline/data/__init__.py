"""Data sets: which files belong to one, which of them a run takes, and whether they are the right ones."""
