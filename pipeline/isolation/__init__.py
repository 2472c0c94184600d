"""Contributed code in processes of its own, which are watched: what it does to its process costs only itself."""
