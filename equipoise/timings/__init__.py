"""How long things take: speeds of short cells, what a plan takes at these speeds, and runs of benchmarks compared."""
