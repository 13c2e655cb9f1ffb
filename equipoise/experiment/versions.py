"""The versions behind a row: hashes of the code, versions of libraries, and the check that the planned code is what runs."""

from __future__ import annotations

import importlib.metadata
import platform
from functools import lru_cache
from typing import TYPE_CHECKING

from equipoise.catalog.plugins import code_of
from equipoise.catalog.strategies import fingerprint
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.strategy import Strategy
from equipoise.core import code_hash
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

#: The definitions that compute the metrics of a row; with what they use, they have a version of their own.
METRICS = (("equipoise.experiment.evaluation", "evaluate"),)


@lru_cache
def engine_code() -> str:
    """Return the hash of the engine. It is computed once, because a process keeps running the code that it has loaded."""
    return code_hash.engine_hash()


@lru_cache
def metrics_code() -> str:
    """Return the hash of the code that computes metrics from predictions; it is not part of the key."""
    return code_hash.digest(code_hash.texts(METRICS))


def predictions_code(strategy: Strategy, backbone: Backbone) -> str:
    """Return the hashes of the engine, the backbone and the parts of the strategy: "3f…/a0…/77…+1c…".

    Raises:
        EquipoiseError: a plugin was edited after it was loaded.
    """
    # Files that the backbone's settings name, such as word vectors, count by their content.
    files = f"+{backbone.content[:16]}" if backbone.content else ""
    return f"{engine_code()}/{code_of(type(backbone))}{files}/{fingerprint(strategy)}"


def require_planned_code(planned: str, strategy: Strategy, backbone: Backbone, *, ran: bool = False) -> None:
    """Refuse a cell if the code of this process is not the code it was planned with. Called before and after it runs.

    Args:
        planned: `Cell.code`. ran: the cell has run, so all code that it needs is loaded.

    Raises:
        EquipoiseError: a file was edited in between, and the row would hold numbers that do not belong to its key.
    """
    names = ("equipoise", f"backbone {backbone.name!r}", f"strategy {strategy.spec!r}")
    # The three parts of `predictions_code`, in the same order.
    parts = zip(names, planned.split("/"), predictions_code(strategy, backbone).split("/"), strict=True)
    changed = [name for name, before, now in parts if before != now]
    # Modules that the cell imported while it ran were hashed, if at all, before they were loaded.
    if ran and not changed:
        changed = list(edited_while_loading())
    if changed:
        raise EquipoiseError(
            f"the code of {' and '.join(changed)} changed after this cell was planned; the same command runs it anew"
        )


@lru_cache
def edited_while_loading() -> tuple[str, ...]:
    """Return the modules of this package that were edited between being hashed and the end of the first cell.

    After the first cell all modules are loaded, and later edits do not reach this process: so it is computed only once.
    """
    return code_hash.edited()


@lru_cache
def versions() -> dict[str, str]:
    """Return the versions of the libraries that the numbers depend on."""
    names = ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna")
    return {"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in names}}


@lru_cache
def cpu_capability() -> str:
    """Return the instructions that PyTorch uses on this CPU, such as "AVX2" or "AVX512"; sums may differ in the last bits."""
    return torch.backends.cpu.get_cpu_capability()
