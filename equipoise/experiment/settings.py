"""The budget every strategy gets alike, and everything else that changes the numbers of a cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.contracts.hyperparameters import checked
from equipoise.core.errors import EquipoiseError

OBJECTIVES = ("macro_f1", "map")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """How a cell is searched and trained; the same for every strategy.

    Attributes:
        trials: settings tried in the search, the published defaults being the first.
        folds: inner folds; 1 means a single stratified holdout of a quarter of the rows, for large data.
        epochs: passes over the training rows, as gradient steps (a resampled lane gets the same number), over which the learning
            rate rises and falls to nothing.
        batch_size: rows per step, a multiple of 32.
        trial_batch: trials that are asked for, trained and told together.
        pruning: whether trials that fall behind end early (successive halving), at fewer gradient steps than the others.
        precision: "float32", or "bfloat16" for the matrix products of training only (for GPUs; last bits may then depend on which
            lanes train together).
        objective: what the search maximises out of fold: "macro_f1" (at cross-fitted thresholds) or "map".
    """

    trials: int = 8
    folds: int = 3
    epochs: int = 30
    batch_size: int = 64
    trial_batch: int = 4
    pruning: bool = False
    precision: str = dataclasses.field(default="float32", metadata={"choices": PRECISIONS})
    objective: str = dataclasses.field(default="macro_f1", metadata={"choices": OBJECTIVES})

    def __post_init__(self) -> None:
        for name in ("trials", "folds", "epochs", "trial_batch"):
            if getattr(self, name) < 1:
                raise EquipoiseError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.batch_size < 32 or self.batch_size % 32:
            raise EquipoiseError(f"batch_size must be a multiple of 32, got {self.batch_size}")
        for name, choices in (("objective", OBJECTIVES), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise EquipoiseError(
                    f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}"
                )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """From a suite's table or a command line's options.

        Raises:
            EquipoiseError: an unknown name, a wrong type or an impossible value.
        """
        return cls(**checked("settings", "settings", cls, values))
