"""One cell, from data to a row: settings, search, cross-validation, decisions."""
