"""The pages of the documentation that list all entries: what `catalogue` writes."""
