"""Many cells: suites, the plan, worker processes, estimates and timings."""
