"""The scores, with their formulas."""
