"""The benchmark on GitLab: planning, the result store, publishing. Nothing here imports torch or an entry."""
