"""From rows to comparisons, statistics, words and tables."""
