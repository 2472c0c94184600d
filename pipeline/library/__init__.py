"""What a notebook calls: the same engine, rows and scores as the command line's, as functions of Python objects."""
