"""The settings of a cell: the search and training budget, the same for every strategy, and all else that affects its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.contracts.options import checked, option
from equipoise.core.errors import EquipoiseError, shown

OBJECTIVES = ("macro_f1", "map")
PRECISIONS = ("float32", "bfloat16")
#: Larger values are a slip of the pen; memory or time would run out long before the end.
MOST = {
    "trials": 10_000,
    "folds": 1000,
    "epochs": 100_000,
    "batch_size": 2**20,
    "trial_batch": 10_000,
    "repeats": 1000,
}


@dataclass(frozen=True)
class Settings:
    """How a cell is searched and trained; the same for every strategy.

    To add a setting, add a field. The options of `equipoise run` and `time`, the [settings] table of a suite, the keywords of
    `equipoise.run` and the rows are derived from the fields. `--help` prints the help text of the field.
    """

    trials: int = option(
        8, "Number of configurations the search tries; the first is the published defaults", at_least=1
    )
    folds: int = option(3, "Inner folds; 1: a single stratified holdout of a quarter of the rows", at_least=1)
    epochs: int = option(
        30, "Passes over the training rows, converted to a number of gradient steps", at_least=1
    )
    batch_size: int = option(64, "Rows per step, a multiple of 32")
    trial_batch: int = option(4, "Trials that are chosen and trained together", at_least=1)
    pruning: bool = option(False, "End trials early that fall behind (successive halving)")
    precision: str = option(
        "float32", "Precision of matrix products in training (bfloat16 is meant for GPUs)", choices=PRECISIONS
    )
    objective: str = option("macro_f1", "The out-of-fold score that the search maximises", choices=OBJECTIVES)
    repeats: int = option(
        1, "Trainings of the chosen setting, from other starts; their metrics are averaged", at_least=1
    )
    group_equal_inputs: bool = option(True, "Keep rows with equal inputs in one fold, outer and inner")

    def __post_init__(self) -> None:
        # Also for settings made in Python, whose types nothing else has checked.
        checked("setting", "", self, vars(self))
        # A multiple of 32 keeps the bits of a training independent of the trainings beside it, see `engine.population`.
        if self.batch_size < 32 or self.batch_size % 32:
            raise EquipoiseError(f"batch_size must be a multiple of 32, got {shown(self.batch_size)}")
        for name, most in MOST.items():
            if getattr(self, name) > most:
                raise EquipoiseError(f"{name} must be {most:,} or less, got {shown(getattr(self, name))}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings from the table of a suite or the options of a command line.

        Raises:
            EquipoiseError: an unknown name, a wrong type or an impossible value.
        """
        return cls(**checked("setting", "", cls, values))
