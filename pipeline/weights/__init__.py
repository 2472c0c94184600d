"""Weight files that entries declare: where they come from, where they lie, and whether they are what they should be."""
