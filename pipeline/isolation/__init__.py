"""Contributed code in processes of its own, which are watched: what it does costs only itself. And Ctrl-C, for all."""
