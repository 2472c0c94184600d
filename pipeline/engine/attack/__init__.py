"""One batch under attack."""
