"""The family of a strategy: what it acts on, by the hooks that it overrides."""

from __future__ import annotations

from functools import lru_cache

from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.report.comparison import BASELINE

#: Family of rows whose strategy cannot be loaded here, such as a plugin's that is not installed.
OTHER = "other"


@lru_cache
def family(strategy: str) -> str:
    """The stages of a strategy, such as "loss" or "resample+loss"; "baseline" for `none`.

    OTHER for a strategy that is not known here, and for one of a file or module: reading a report must not run code that rows
    name.
    """
    if strategy == BASELINE:
        return "baseline"
    # Loading strategies loads PyTorch, which a report over rows does not need otherwise.
    catalog = lazy("equipoise.catalog.strategies")
    try:
        if catalog.places(strategy):
            return OTHER
        stages: tuple[str, ...] = catalog.get_strategy(strategy).stages
    except EquipoiseError:
        return OTHER
    return "+".join(stages) or OTHER
