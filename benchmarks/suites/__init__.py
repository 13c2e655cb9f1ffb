"""Suites: TOML files that say what a sweep runs. Imported as `equipoise.suites`, to be found from a wheel too."""
