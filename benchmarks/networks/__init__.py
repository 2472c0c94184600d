"""Networks with random weights, which stand for metrics that need a download."""
