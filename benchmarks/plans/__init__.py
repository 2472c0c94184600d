"""What plans say and take: how near they come to real seconds, what a matrix and the start of a job cost."""
