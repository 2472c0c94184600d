"""What plans say: how near they come to real seconds, and what whole matrices cost."""
