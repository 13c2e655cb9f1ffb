"""Results on disk: JSON lines with one writer, complete after any interruption."""
