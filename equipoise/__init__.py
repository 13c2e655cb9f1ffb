"""Which balancing strategy works on imbalanced multilabel data, measured."""
