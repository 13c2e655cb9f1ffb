"""The MLflow view of the store."""
