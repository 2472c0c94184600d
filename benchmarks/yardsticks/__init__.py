"""What our code is measured beside: a plain loop, the bare passes, other libraries."""
