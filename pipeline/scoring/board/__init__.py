"""Who stands where, and what speaks against it."""
