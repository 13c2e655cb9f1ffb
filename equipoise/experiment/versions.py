"""What made a row: hashes of the code, the versions of the libraries, and the check that what runs is what was planned."""

from __future__ import annotations

import platform
from functools import lru_cache

from equipoise.catalog.plugins import code_of
from equipoise.catalog.strategies import fingerprint
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.strategy import Strategy
from equipoise.core import code_hash
from equipoise.core.errors import EquipoiseError

#: Where the metrics of a row begin: what these definitions need has a version of its own.
METRICS = (("equipoise.experiment.evaluation", "evaluate"),)


@lru_cache
def engine_code() -> str:
    """A hash over what all predictions are made by: taken once, for a process keeps the code that it has loaded."""
    return code_hash.engine_hash()


@lru_cache
def metrics_code() -> str:
    """A hash over what computes the metrics of a row from its predictions; no part of its key."""
    return code_hash.digest(code_hash.texts(METRICS))


def predictions_code(strategy: Strategy, backbone: Backbone) -> str:
    """Engine, backbone and the parts of the strategy: "3f…/a0…/77…+1c…".

    Raises:
        EquipoiseError: a plugin was edited after it was loaded.
    """
    return f"{engine_code()}/{code_of(type(backbone))}/{fingerprint(strategy)}"


def require_planned_code(planned: str, strategy: Strategy, backbone: Backbone, *, ran: bool = False) -> None:
    """Say so where this process has other code than that by which a cell was planned; asked before and after it runs.

    Args:
        planned: `Cell.code`. ran: the cell has run, so that everything that it needs is loaded.

    Raises:
        EquipoiseError: the row would hold what its key does not stand for.
    """
    names = ("equipoise", f"backbone {backbone.name!r}", f"strategy {strategy.spec!r}")
    here = predictions_code(strategy, backbone)
    parts = zip(names, planned.split("/"), here.split("/"), strict=True)
    changed = [name for name, before, now in parts if before != now]
    if ran and not changed:
        changed = list(edited_while_loading())
    if changed:
        raise EquipoiseError(
            f"the code of {' and '.join(changed)} changed after this cell was planned; the same command runs it anew"
        )


@lru_cache
def edited_while_loading() -> tuple[str, ...]:
    """Modules of ours whose files changed between their hash and the end of the first cell, asked once a process.

    What a cell needs is loaded by then; later edits do not reach this process.
    """
    return code_hash.edited()


@lru_cache
def versions() -> dict[str, str]:
    """The versions of what the numbers depend on."""
    from importlib.metadata import version

    names = ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}
