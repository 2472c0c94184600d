"""What a pipeline on GitLab runs, and how its results are gathered. Nothing here imports torch or an entry."""
