"""The sentences of the report, and how its numbers are written."""
