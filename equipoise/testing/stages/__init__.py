"""The checks of each hook of a strategy."""
