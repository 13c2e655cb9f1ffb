"""What everything else stands on: errors, arrays, seeds, code hashes, signals, what the system has, text for one line."""
