"""Quality metrics, one per file; the file name is the metric's name."""
