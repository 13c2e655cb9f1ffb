"""Write the statistics of the named datasets (default: all built-in ones that need no option) into this folder."""

from __future__ import annotations

import sys

from equipoise.catalog.datasets import load_dataset
from equipoise.catalog.registry import registry
from equipoise.datasets.statistics import write

NEEDS_AN_OPTION = ("openml",)

if __name__ == "__main__":
    built_in = [e.name for e in registry("dataset").entries() if e.origin == "built-in"]
    for name in sys.argv[1:] or [name for name in built_in if name not in NEEDS_AN_OPTION]:
        print(write(load_dataset(name)))
