"""From CSV files and stamps to tables of rows."""
