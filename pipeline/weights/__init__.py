"""Weight files that entries declare: where they come from, where they lie, and whether their content is right."""
