"""A faster copy of a metric, for searches: what can be folded, the copy, and whether it agrees with the metric."""
