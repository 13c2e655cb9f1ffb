"""`equipoise`: commands and their options. The module that does the work is imported when its command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from equipoise.cli import options
from equipoise.cli.ending import run_to_end
from equipoise.cli.options import LIVE, DataDir, Device, Json, Names, New, Plugin, Results, What, derived
from equipoise.core import output
from equipoise.core.lazy import lazy

app = typer.Typer(
    help="Which balancing strategy works on imbalanced multilabel data, measured.",
    no_args_is_help=True,
    add_completion=False,
    # Otherwise typer prints tracebacks with the values of variables, which may be private texts.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.echo(lazy("importlib.metadata").version("equipoise"))
        raise typer.Exit


@app.callback()
def _before_any_command(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Which balancing strategy works on imbalanced multilabel data, measured."""


@app.command("list")
def list_(
    what: Annotated[What | None, typer.Argument()] = None, json: Json = False, plugin: Plugin = None
) -> None:
    """List the strategies, datasets, backbones and suites, with one line on each."""
    # Each command writes its module out in full, since `tests/test_rooms.py` reads these names as imports.
    lazy("equipoise.cli.info.commands").listing(None if what is None else what.value, plugin or [], json)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="A strategy, dataset, backbone, suite or file.")],
    json: Json = False,
) -> None:
    """All about one strategy (stage, reference, defaults, search range), dataset, backbone or suite."""
    lazy("equipoise.cli.info.commands").details(name, json)


@app.command()
@derived
def diagnose(
    dataset: Annotated[str, typer.Argument(help="A dataset, or the path of a file.")],
    table: options.Table,
    html: Annotated[Optional[Path], typer.Option(help="Write a page with pictures, too.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="The seed of samples and shuffles.")] = 0,
    folds: Annotated[int, typer.Option(help="Inner folds, among which each label needs positives.")] = 3,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Know your data: imbalance, label dependence, faults, and which strategies are worth trying."""
    lazy("equipoise.cli.diagnose").diagnose(
        dataset, table=table, html=html, seed=seed, folds=folds, data_dir=data_dir, json=json
    )


@app.command()
@derived
def run(
    table: options.Table,
    settings: options.Settings,
    suite: options.Suite = None,
    dataset: options.Datasets = None,
    backbone: Annotated[Names, typer.Option(help="linear, mlp, ./models.py, … Repeat for more.")] = None,
    strategy: Annotated[
        Names, typer.Option(help="A name, a+b\\[p=1], ./mine.py or all. Repeat for more.")
    ] = None,
    splits: options.Splits = None,
    seed: Annotated[Optional[int], typer.Option(help="The seed of all random streams.")] = None,  # noqa: UP045
    cell_timeout: options.CellTimeout = None,
    workers: options.WorkerCount = "auto",
    device: Device = "auto",
    results: Results = LIVE,
    data_dir: DataDir = None,
    reuse: options.Reuse = None,
    redo: Annotated[str, typer.Option(help="missing, failed or all.")] = "missing",
    cluster: options.ClusterUrl = None,
    allow_mixed: options.AllowMixed = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --dry-run: the plan as data.")] = False,
) -> None:
    """Run a suite, or every combination of datasets, backbones and strategies. Cells that have a row are not run again."""
    lazy("equipoise.cli.run").run(
        suite,
        dataset or [],
        backbone or [],
        strategy or [],
        table=table,
        settings=settings,
        splits=splits,
        seed=seed,
        cell_timeout=cell_timeout,
        workers=workers,
        cluster=options.cluster_of(cluster, allow_mixed, tls_ca, tls_cert, tls_key),
        device=device,
        results=results,
        data_dir=data_dir,
        reuse=reuse or [],
        redo=redo,
        dry_run=dry_run,
        json=json,
    )


@app.command()
def worker(
    address: Annotated[
        str, typer.Argument(help="The scheduler's address.", metavar="tcp://HOST:PORT", show_default=False)
    ],
    workers: Annotated[int, typer.Option(help="Processes, each with one thread.", min=1)] = 1,
    host: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="This machine's address for the scheduler \\[default: found by dask]."),
    ] = None,
    port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Its port, one more for each further process \\[default: any].", min=1, max=65535),
    ] = None,
    data_dir: DataDir = None,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
) -> None:
    """Run cells for `equipoise run --cluster`; goes on until Ctrl-C, and reconnects when the scheduler was away."""
    lazy("equipoise.cli.worker").worker(
        address,
        workers=workers,
        host=host,
        port=port,
        data_dir=data_dir,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
    )


@app.command()
def report(
    suite: Annotated[Optional[str], typer.Argument(help="Only the rows of this suite.")] = None,  # noqa: UP045
    results: Results = LIVE,
    json: Json = False,
    details: Annotated[
        bool,
        typer.Option("--details", help="Every table, also where there are so many that a summary is shown."),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the results into this PNG, SVG or PDF file.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with everything, in one file that needs no network.")
    ] = None,
    across: options.Across = False,
    metric: options.RankBy = None,
    wins: options.Wins = False,
    also: options.Also = None,
    pictures: options.Pictures = None,
) -> None:
    """The results so far: what each strategy gains over none, per dataset and backbone, and how certain that is."""
    if options.across(across, picture, html, metric=metric, wins=wins, also=also, pictures=pictures):
        folders = [results, *(also or [])]
        lazy("equipoise.cli.report").across(
            folders, suite, metric=metric, wins=wins, json=json, pictures=pictures
        )
        return
    lazy("equipoise.cli.report").report(
        results, suite, json=json, details=details, picture=picture, html=html
    )


@app.command()
@derived
def fit(
    dataset: Annotated[str, typer.Option(help="A dataset, or the path of a file.")],
    model: Annotated[Path, typer.Option(metavar="DIR", help="The folder to save the model to.")],
    table: options.Table,
    settings: options.Settings,
    from_report: Annotated[
        bool,
        typer.Option("--from-report", help="Fit what the report of --results recommends for these data."),
    ] = False,
    backbone: Annotated[Optional[str], typer.Option(help="linear, mlp, lstm, …")] = None,  # noqa: UP045
    strategy: Annotated[Optional[str], typer.Option(help="A name, or a+b\\[p=1].")] = None,  # noqa: UP045
    decision: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="tuned, fixed or own \\[default: as recommended, else own or tuned]."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of all random streams.")] = 0,
    device: Device = "auto",
    results: Results = LIVE,
    data_dir: DataDir = None,
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="Log the model to the MLflow database of --results, too.")
    ] = False,
) -> None:
    """Fit a strategy on all rows and save the model, to be used with `equipoise predict`."""
    lazy("equipoise.takehome.commands").fit(
        dataset,
        table=table,
        settings=settings,
        backbone=backbone,
        strategy=strategy,
        from_report=from_report,
        results=results,
        model=model,
        decision=decision,
        seed=seed,
        device=device,
        data_dir=data_dir,
        mlflow=mlflow,
    )


@app.command()
def predict(
    model: Annotated[Path, typer.Option(metavar="DIR", help="A folder written by `equipoise fit`.")],
    dataset: Annotated[str, typer.Option(metavar="FILE", help="The rows to predict: CSV, TSV, Parquet, …")],
    out: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path("predictions.csv"),
    scores: Annotated[bool, typer.Option("--scores", help="Add the probability of each label.")] = False,
    delimiter: Annotated[Optional[str], typer.Option(help="What divides the columns.")] = None,  # noqa: UP045
    encoding: Annotated[str, typer.Option(help="The encoding of a CSV file.")] = "utf-8",
    plugin: Plugin = None,
) -> None:
    """Predict the labels of new rows with a saved model."""
    lazy("equipoise.takehome.commands").predict(
        model, dataset, out=out, scores=scores, delimiter=delimiter, encoding=encoding, plugins=plugin or []
    )


@app.command()
def recipe(
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="A folder written by `equipoise fit` [default: the report]."),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Without --model: the data set in the report of --results, if there are several."),
    ] = None,
    results: Results = LIVE,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the script here, not to the terminal."),
    ] = None,
) -> None:
    """Write the winner as a plain PyTorch script that needs neither equipoise nor its files."""
    lazy("equipoise.takehome.commands").recipe(model, dataset, results=results, out=out)


@app.command()
def rescore(results: Results = LIVE, json: Json = False) -> None:
    """Recompute the metrics of stored predictions after the code of the metrics has changed. Nothing is trained."""
    raise typer.Exit(lazy("equipoise.cli.rescore").rescore(results, json))


@app.command()
def ui(
    results: Results = LIVE,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 5000,
    browser: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--open/--no-open", help="Open the page of who won in a browser \\[default: on a desktop]."
        ),
    ] = None,
) -> None:
    """Serve the results in the MLflow UI, beginning with who won (Ctrl-C ends it)."""
    raise typer.Exit(lazy("equipoise.tracking.server").serve(results, host, port, browser))


@app.command()
@derived
def time(
    table: options.Table,
    settings: options.Settings,
    suite: options.Suite = None,
    dataset: options.Datasets = None,
    backbone: Annotated[Names, typer.Option(help="Repeat for more [default: all that fit].")] = None,
    strategy: Annotated[Names, typer.Option(help="Repeat for more [default: all].")] = None,
    splits: options.Splits = None,
    workers: options.WorkerCount = "auto",
    price: Annotated[float | None, typer.Option(help="What an hour of one core (or device) costs.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure how fast training is on this machine, and what a sweep of a suite or of these combinations takes and costs."""
    code = lazy("equipoise.cli.timings.time").time(
        suite,
        dataset or [],
        backbone or [],
        strategy or [],
        table=table,
        settings=settings,
        splits=splits,
        workers=workers,
        price=price,
        device=device,
        data_dir=data_dir,
        json=json,
    )
    raise typer.Exit(code)


bench = typer.Typer(help="Runs of `pytest benchmarks`.", no_args_is_help=True)
app.add_typer(bench, name="bench")


@bench.command("compare")
def bench_compare(
    before: Annotated[str, typer.Argument(help="A JSON file of pytest-benchmark, or the number of a run.")],
    after: Annotated[str, typer.Argument(help="The same, of the later run.")],
    storage: Annotated[Path, typer.Option(help="Where runs are numbered.")] = Path("results/benchmarks"),
    everything: Annotated[bool, typer.Option("--all", help="Also what is the same within noise.")] = False,
    json: Json = False,
) -> None:
    """Show what became slower or faster by more than the noise of both runs; exit code 1 if anything became slower."""
    raise typer.Exit(
        lazy("equipoise.cli.timings.bench").compare(
            before, after, storage=storage, everything=everything, json=json
        )
    )


@app.command()
def check(
    what: Annotated[
        list[str],
        typer.Argument(help="A plugin file (./mine.py), or names of strategies, backbones, datasets."),
    ],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Check strategies, backbones and data sets against the contract; a line for each rule that is broken, then exit code 1."""
    raise typer.Exit(lazy("equipoise.cli.plugins.check").conformance(what, json, data_dir))


@app.command()
def new(
    kind: Annotated[New, typer.Argument(help="What to begin.")],
    name: Annotated[str, typer.Argument(help="Its name, e.g. rare_first; the file is NAME.py.")],
) -> None:
    """Write a commented file to start a strategy, backbone or dataset of your own from; it works as it is."""
    lazy("equipoise.cli.plugins.new").new(kind.value, name)


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="E.g. leaderboard-2026-11: lower-case, and dated.")],
    results: Results = LIVE,
    suite: Annotated[
        Names, typer.Option(help="Only the complete blocks of this suite. Repeat for more.")
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="With --suite: also blocks that lack cells.")
    ] = False,
    into: options.Into = Path("results/published"),
    machine: options.Machine = "",
) -> None:
    """Write a folder that others can cite and verify: rows, page, tables, facts, and a place for your finding."""
    lazy("equipoise.publishing.commands").publish(name, results, suite or [], into, machine, unfinished)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="A published or submitted folder.")],
    sample: Annotated[int, typer.Option(help="Finished cells to recompute, drawn at random.")] = 2,
    seed: Annotated[int, typer.Option(help="The seed of that draw.")] = 0,
    max_seconds: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Draw only from cells that took at most so long when they were published."),
    ] = None,
    cell: Annotated[
        Names, typer.Option(metavar="KEY", help="Recompute this cell instead. Repeat for more.")
    ] = None,
    run_plugins: Annotated[
        bool, typer.Option("--run-plugins", help="Run the code that a submitted folder brings.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Check that a published folder is unchanged, recompute some of its cells and compare; exit code 1 if one differs."""
    raise typer.Exit(
        lazy("equipoise.publishing.commands").verify_folder(
            folder,
            number=sample,
            seed=seed,
            most_seconds=max_seconds,
            keys=cell or [],
            run_plugins=run_plugins,
            data_dir=data_dir,
            json=json,
        )
    )


@app.command()
def submit(
    name: Annotated[str, typer.Argument(help="E.g. my-method-2026-12: lower-case, and dated.")],
    results: Results = LIVE,
    plugin: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="A plugin file that made the rows. Repeat for more."),
    ] = None,
    distribution: Annotated[
        Names, typer.Option(help="Or an installed distribution. Repeat for more.")
    ] = None,
    into: options.Into = Path("results/submitted"),
    machine: options.Machine = "",
) -> None:
    """Pack the results of your own plugin with its code, for a pull request: it must conform and have a baseline."""
    lazy("equipoise.publishing.commands").submit(
        name, results, plugin or [], distribution or [], into, machine
    )


def main() -> None:
    """Run the command line. Bad input ends with one line and exit code 2, Ctrl-C with 130."""
    run_to_end(app)


if __name__ == "__main__":
    main()
