"""The MLflow view of a store: one MLflow run for each row. rows.jsonl stays the source of truth."""
