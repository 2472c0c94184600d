"""The project on a GitLab server."""
