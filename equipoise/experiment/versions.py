"""What a row was made by: a hash over the code that makes the numbers, and the versions of the libraries."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from pathlib import Path

from equipoise.core.code_hash import meaning

#: The rooms that make the numbers: a row is reused only while they do the same.
NUMBERS = ("core", "ops", "contracts", "splits", "resampling", "engine", "experiment", "metrics")
#: Modules of no room of their own that do so, too.
MODULES = ("measures", "thresholds")


@lru_cache
def engine_code() -> str:
    """A hash over what the modules that make the numbers do."""
    here = Path(__file__).parent.parent
    files = [here / f"{n}.py" for n in MODULES] + [
        f for n in NUMBERS for f in sorted((here / n).glob("*.py"))
    ]
    text = "\n".join(meaning(f.read_text(encoding="utf-8")) for f in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache
def versions() -> dict[str, str]:
    """The versions of what the numbers depend on."""
    from importlib.metadata import version

    names = ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}
