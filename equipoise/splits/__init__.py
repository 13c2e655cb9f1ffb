"""Stratified splits of multilabel rows: the outer train/test splits and the inner folds."""
