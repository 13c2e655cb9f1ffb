"""Balancing strategies, one file per family."""
