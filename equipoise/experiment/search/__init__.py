"""The search of a cell: which settings are tried, and which of them wins."""
