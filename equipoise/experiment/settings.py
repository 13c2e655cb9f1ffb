"""The settings of a cell: the budget of search and training, and everything else that a user sets and that changes numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.contracts.options import checked, option
from equipoise.core.errors import EquipoiseError

OBJECTIVES = ("macro_f1", "map")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """How a cell is searched and trained; the same for every strategy.

    To add a setting, add a field: the options of `equipoise run` and `time`, the [settings] table of a suite, the keywords of
    `equipoise.run` and the rows are derived from the fields. `--help` prints the help text of the field.
    """

    trials: int = option(8, "Settings tried in the search; the first are the published defaults", low=1)
    folds: int = option(3, "Inner folds; 1: a single stratified holdout of a quarter of the rows", low=1)
    epochs: int = option(30, "Passes over the training rows, as gradient steps", low=1)
    batch_size: int = option(64, "Rows per step, a multiple of 32")
    trial_batch: int = option(4, "Trials that are chosen and trained together", low=1)
    pruning: bool = option(False, "End trials early that fall behind (successive halving)")
    precision: str = option(
        "float32", "Of matrix products in training (bfloat16 for GPUs)", choices=PRECISIONS
    )
    objective: str = option("macro_f1", "What the search maximises out of fold", choices=OBJECTIVES)

    def __post_init__(self) -> None:
        checked("setting", "", self, vars(self))
        # A multiple of 32 keeps the bits of a training independent of the trainings beside it, see `engine.population`.
        if self.batch_size < 32 or self.batch_size % 32:
            raise EquipoiseError(f"batch_size must be a multiple of 32, got {self.batch_size}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """From a suite's table or a command line's options.

        Raises:
            EquipoiseError: an unknown name, a wrong type or an impossible value.
        """
        return cls(**checked("setting", "", cls, values))
