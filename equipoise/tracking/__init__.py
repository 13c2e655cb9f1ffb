"""The rows of a store in MLflow."""
