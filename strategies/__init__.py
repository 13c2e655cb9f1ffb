"""The built-in strategies against label imbalance, one file for each method or family of methods."""
