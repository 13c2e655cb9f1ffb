"""Stratified splits of multilabel rows: outer splits and inner folds."""
