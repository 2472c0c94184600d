"""Videos: whole or not, their frames in RGB, and what a codec leaves of them."""
