"""Universal patterns."""
