"""The results on disk: rows as JSON lines, predictions as arrays, safe against interruption at any instant."""
