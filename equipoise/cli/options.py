"""Options that several commands have, with their words in `--help`."""

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
DataDir = Annotated[Optional[Path], typer.Option(help="The download cache [default: $EQUIPOISE_DATA].")]  # noqa: UP045
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Plugin = Annotated[Names, typer.Option("--plugin", help="A strategy file to load too.")]
Suite = Annotated[Optional[str], typer.Argument(help="A suite's name or TOML file.")]  # noqa: UP045
Datasets = Annotated[Names, typer.Option(help="A name, or the path of a CSV file. Repeat for more.")]
Text = Annotated[Optional[str], typer.Option(help="CSV: the text column(s), a+b.")]  # noqa: UP045
Labels = Annotated[Optional[str], typer.Option(help="CSV: the 0/1 label columns, a+b+c.")]  # noqa: UP045
LabelColumn = Annotated[Optional[str], typer.Option(help="CSV: the column that lists labels.")]  # noqa: UP045
Separator = Annotated[Optional[str], typer.Option(help="CSV: what separates labels there.")]  # noqa: UP045
Trials = Annotated[Optional[int], typer.Option(help="Settings tried per cell.")]  # noqa: UP045
Folds = Annotated[Optional[int], typer.Option(help="Inner folds; 1: a single holdout.")]  # noqa: UP045
Epochs = Annotated[Optional[int], typer.Option(help="Passes over the rows at most.")]  # noqa: UP045
BatchSize = Annotated[Optional[int], typer.Option(help="Rows per step, a multiple of 32.")]  # noqa: UP045
Splits = Annotated[Optional[int], typer.Option(help="Outer splits.")]  # noqa: UP045
WorkerCount = Annotated[
    str, typer.Option(help="Processes: a number, or auto: as many as CPUs, memory and cells allow.")
]
