"""Options that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer


class What(StrEnum):
    """What `list` can list."""

    strategies = "strategies"
    datasets = "datasets"
    backbones = "backbones"
    suites = "suites"


Names = Optional[list[str]]  # noqa: UP045 - typer reads it
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Results = Annotated[Path, typer.Option(help="The store: rows, predictions, MLflow.")]
DataDir = Annotated[Optional[Path], typer.Option(help="The download cache (default: $EQUIPOISE_DATA).")]  # noqa: UP045
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Plugin = Annotated[Names, typer.Option("--plugin", help="A strategy file to load too.")]
LIVE = Path("results/live")
Suite = Annotated[Optional[str], typer.Argument(help="A suite's name or TOML file.")]  # noqa: UP045
Datasets = Annotated[Names, typer.Option(help="A name, or the path of a file. Repeat for more.")]
Trials = Annotated[Optional[int], typer.Option(help="Settings tried per cell.")]  # noqa: UP045
Folds = Annotated[Optional[int], typer.Option(help="Inner folds; 1: a single holdout.")]  # noqa: UP045
Epochs = Annotated[Optional[int], typer.Option(help="Passes over the rows at most.")]  # noqa: UP045
BatchSize = Annotated[Optional[int], typer.Option(help="Rows per step, a multiple of 32.")]  # noqa: UP045
Precision = Annotated[Optional[str], typer.Option(help="Of products in training: float32 or bfloat16.")]  # noqa: UP045
Splits = Annotated[Optional[str], typer.Option(help="Outer splits: a number, or official.")]  # noqa: UP045
WorkerCount = Annotated[
    str, typer.Option(help="Processes: a number, or auto: as many as CPUs, memory and cells allow.")
]

_PANEL = "Your own data (what is not said is guessed, and told)"


def _option(help: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(help=help, rich_help_panel=_PANEL)
    return found


Text = Annotated[Optional[str], _option("The text column, or several, a+b.")]  # noqa: UP045 - typer reads it
Features = Annotated[Optional[str], _option("The columns of numbers or categories, a+b+c.")]  # noqa: UP045
Labels = Annotated[Optional[str], _option("The 0/1 label columns, a+b+c.")]  # noqa: UP045
LabelColumn = Annotated[Optional[str], _option("The column that lists a row's labels.")]  # noqa: UP045
Separator = Annotated[Optional[str], _option("What separates labels in it.")]  # noqa: UP045
Delimiter = Annotated[Optional[str], _option("What divides the columns of a CSV file; tab for a tab.")]  # noqa: UP045
Encoding = Annotated[Optional[str], _option("Of the file: latin-1, cp1252, utf-16, … (default: utf-8)")]  # noqa: UP045


def given(**options: str | None) -> dict[str, str]:
    """Those that were said."""
    return {name: value for name, value in options.items() if value is not None}
