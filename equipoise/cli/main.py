"""`equipoise`: commands and their options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from equipoise.cli import options
from equipoise.cli.options import LIVE, DataDir, Device, Json, Names, Plugin, Results, What, given
from equipoise.core.errors import EquipoiseError

app = typer.Typer(
    help="Which balancing strategy works on imbalanced multilabel data, measured.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_(
    what: Annotated[What | None, typer.Argument()] = None, json: Json = False, plugin: Plugin = None
) -> None:
    """What there is: strategies, datasets, backbones, suites."""
    from equipoise.cli import listing

    listing.listing(None if what is None else what.value, plugin or [], json)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="A strategy, dataset, backbone, suite or file.")],
    json: Json = False,
) -> None:
    """All about one strategy (stage, reference, defaults, search range), dataset, backbone or suite."""
    from equipoise.cli import listing

    listing.details(name, json)


@app.command()
def diagnose(
    dataset: Annotated[str, typer.Argument(help="A dataset, or the path of a file.")],
    text: options.Text = None,
    features: options.Features = None,
    labels: options.Labels = None,
    label_column: options.LabelColumn = None,
    separator: options.Separator = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    html: Annotated[Optional[Path], typer.Option(help="Write it as a page with pictures, too.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="Of samples and shuffles.")] = 0,
    folds: Annotated[int, typer.Option(help="Inner folds to hold rare labels against.")] = 3,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Know your data: imbalance, label dependence, what is wrong with them, and what is worth trying."""
    from equipoise.cli import diagnose as diagnosing

    table = given(
        text=text,
        features=features,
        labels=labels,
        label_column=label_column,
        separator=separator,
        delimiter=delimiter,
        encoding=encoding,
    )
    diagnosing.diagnose(dataset, table, json, html, seed, folds, data_dir)


@app.command()
def run(
    suite: options.Suite = None,
    dataset: options.Datasets = None,
    backbone: Annotated[Names, typer.Option(help="linear, mlp, lstm, … Repeat for more.")] = None,
    strategy: Annotated[
        Names, typer.Option(help="A name, a+b\\[p=1], ./mine.py or all. Repeat for more.")
    ] = None,
    text: options.Text = None,
    features: options.Features = None,
    labels: options.Labels = None,
    label_column: options.LabelColumn = None,
    separator: options.Separator = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    trials: options.Trials = None,
    folds: options.Folds = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    objective: Annotated[Optional[str], typer.Option(help="macro_f1 or map.")] = None,  # noqa: UP045
    precision: options.Precision = None,
    pruning: Annotated[bool, typer.Option("--pruning", help="End trials early that fall behind.")] = False,
    splits: options.Splits = None,
    seed: Annotated[Optional[int], typer.Option(help="What all random streams derive from.")] = None,  # noqa: UP045
    workers: options.WorkerCount = "auto",
    device: Device = "auto",
    results: Results = LIVE,
    data_dir: DataDir = None,
    redo: Annotated[str, typer.Option(help="missing, failed or all.")] = "missing",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --dry-run: the plan as data.")] = False,
) -> None:
    """Run a suite, or every combination of datasets, backbones and strategies. Rows that are there are not run again."""
    from equipoise.cli import run as running

    table = given(
        text=text,
        features=features,
        labels=labels,
        label_column=label_column,
        separator=separator,
        delimiter=delimiter,
        encoding=encoding,
    )
    budget = {
        "trials": trials,
        "folds": folds,
        "epochs": epochs,
        "batch_size": batch_size,
        "objective": objective,
        "precision": precision,
        "pruning": pruning or None,
    }
    running.run(
        suite,
        running.with_columns(dataset or [], table),
        backbone or [],
        strategy or [],
        {k: v for k, v in budget.items() if v is not None},
        splits=splits,
        seed=seed,
        workers=workers,
        device=device,
        results=results,
        data_dir=data_dir,
        redo=redo,
        dry_run=dry_run,
        json=json,
    )


@app.command()
def report(
    suite: Annotated[Optional[str], typer.Argument(help="Only the rows of this suite.")] = None,  # noqa: UP045
    results: Results = LIVE,
    json: Json = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the results into this PNG, SVG or PDF file.")
    ] = None,
) -> None:
    """The results so far: per dataset and backbone, what each strategy wins over none, and how sure that is."""
    from equipoise.cli import listing

    listing.results(results, suite, json, picture)


@app.command()
def rescore(results: Results = LIVE, json: Json = False) -> None:
    """Recompute the metrics of stored predictions after the code of the metrics has changed. Nothing is trained."""
    from equipoise.cli.rescore import rescore

    raise typer.Exit(rescore(results, json))


@app.command()
def ui(
    results: Results = LIVE,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 5000,
) -> None:
    """Open the results in the MLflow UI (Ctrl-C ends it)."""
    from equipoise.tracking.server import serve

    raise typer.Exit(serve(results, host, port))


@app.command()
def time(
    suite: options.Suite = None,
    dataset: options.Datasets = None,
    backbone: Annotated[Names, typer.Option(help="Repeat for more [default: all that fit].")] = None,
    strategy: Annotated[Names, typer.Option(help="Repeat for more [default: all].")] = None,
    text: options.Text = None,
    features: options.Features = None,
    labels: options.Labels = None,
    label_column: options.LabelColumn = None,
    separator: options.Separator = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    trials: options.Trials = None,
    folds: options.Folds = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    precision: options.Precision = None,
    splits: options.Splits = None,
    workers: options.WorkerCount = "auto",
    price: Annotated[float | None, typer.Option(help="What an hour of one core (or device) costs.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """How fast training is here, on your data, and what a sweep of a suite or of these combinations will take and cost."""
    from equipoise.cli import run as running
    from equipoise.cli import time as timing

    table = given(
        text=text,
        features=features,
        labels=labels,
        label_column=label_column,
        separator=separator,
        delimiter=delimiter,
        encoding=encoding,
    )
    budget = {
        "trials": trials,
        "folds": folds,
        "epochs": epochs,
        "batch_size": batch_size,
        "precision": precision,
    }
    timing.time(
        suite,
        running.with_columns(dataset or [], table),
        backbone or [],
        strategy or [],
        {k: v for k, v in budget.items() if v is not None},
        splits=splits,
        workers=workers,
        price=price,
        device=device,
        data_dir=data_dir,
        json=json,
    )


@app.command()
def check(
    what: Annotated[list[str], typer.Argument(help="A plugin file (./mine.py), or names of strategies.")],
    json: Json = False,
) -> None:
    """Try strategies against the rules of the contract; a line for each that is broken, exit code 1 if any is."""
    from equipoise.cli.check import conformance

    raise typer.Exit(conformance(what, json))


def main() -> None:
    """Run the command line; bad input is one line and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name="equipoise")
    except EquipoiseError as error:
        _refuse(str(error))
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        _misused(error)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _misused(error: Exception) -> None:
    """An option or argument that is not there or not right. Where the class of these errors lives differs among typers."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        sys.exit(0)
    if not hasattr(error, "format_message"):
        raise error
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "equipoise"
    _refuse(f"{error.format_message().rstrip('.')}; see {path} --help")


def _refuse(line: str) -> NoReturn:
    typer.echo(f"error: {' '.join(line.split())}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
