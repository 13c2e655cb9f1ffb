"""The foundation of all other rooms: errors, arrays, seeds, code hashes, signals, system resources."""
