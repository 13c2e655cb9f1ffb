"""The built-in data sets: one file for each source. Files that begin with an underscore are their helpers."""
