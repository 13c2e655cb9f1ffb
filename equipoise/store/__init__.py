"""Rows on disk: one writer, JSON lines, resumable at any instant."""
