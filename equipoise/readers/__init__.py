"""Readers for CSV, JSON lines, Parquet and ARFF files, which work block by block, and the download cache."""
