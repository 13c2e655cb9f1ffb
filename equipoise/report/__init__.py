"""Turns rows into comparisons, statistics, sentences and tables."""
