"""What is run, what it leaves, and when it is run again. No torch."""
