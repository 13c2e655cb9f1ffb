"""Write the statistics of datasets into `datasets/statistics/`: `python docs/make_statistics.py [NAME …]`.

Without names: of all built-in ones that need no option.
"""

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
