"""`equipoise fit`, `predict` and `recipe`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from equipoise.catalog.lookup import load_plugins
from equipoise.catalog.parts import only_part
from equipoise.catalog.registry import registry
from equipoise.catalog.specs import with_settings
from equipoise.core.console import SafeConsole, terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.files import write_whole
from equipoise.core.lazy import lazy
from equipoise.core.output import echo
from equipoise.experiment.versions import versions
from equipoise.takehome.card import TITLES
from equipoise.takehome.fit import fit as fit_model
from equipoise.takehome.model import Model
from equipoise.takehome.recipe import of_model, of_report, write_recipe
from equipoise.takehome.saved import load_model
from equipoise.takehome.table import check_out, read_rows, write_predictions

if TYPE_CHECKING:
    from equipoise.takehome import pyfunc
else:
    # It is not needed by most commands, and imports MLflow.
    pyfunc = lazy("equipoise.takehome.pyfunc")


def fit(
    dataset: str,
    *,
    table: Mapping[str, str],
    settings: Mapping[str, Any],
    backbone: str | None,
    strategy: str | None,
    from_report: bool,
    results: Path,
    model: Path,
    decision: str | None,
    seed: int,
    device: str,
    data_dir: Path | None,
    mlflow: bool,
) -> None:
    """Fit a model on all rows, save it, and say what to expect of it."""
    # Otherwise one of the two would silently win.
    if from_report and (backbone or strategy):
        raise EquipoiseError(
            "--from-report chooses backbone and strategy: leave out --backbone and --strategy"
        )
    if not from_report and not (backbone and strategy):
        raise EquipoiseError("say what to fit: --from-report, or --backbone and --strategy")
    console = terminal()
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as progress:
        bar = progress.add_task("fitting", total=1.0)
        fitted = fit_model(
            with_settings(dataset, table) if table else dataset,
            # Ignored where the report chooses.
            backbone=backbone or "linear",
            strategy=strategy or "none",
            from_report=results if from_report else False,
            model=model,
            decision=decision,
            seed=seed,
            device=device,
            data_dir=data_dir,
            report=lambda share: progress.update(bar, completed=share),
            **settings,
        )
    _summary(console, fitted, model)
    if mlflow:
        uri, database = pyfunc.log_model(model, results), (results / "mlflow.db").resolve()
        console.print(f"logged to MLflow as {uri}; to predict with it:", markup=False)
        where = shlex.quote(f"sqlite:///{database}")
        echo(
            f"MLFLOW_TRACKING_URI={where} mlflow models predict -m {uri} --env-manager local -i new.csv -t csv"
        )


def _summary(console: SafeConsole, model: Model, folder: Path) -> None:
    facts = model.facts
    console.print(
        f"{facts['strategy']} on {facts['backbone']}, fitted on {facts['rows']} rows of {facts['dataset']}",
        style="bold",
        markup=False,
    )
    console.print(facts["choice"], markup=False)
    expected = facts["expected"]
    shown = Table(title="Expected on new rows", title_justify="left")
    shown.add_column("score")
    shown.add_column("value", justify="right")
    for name, value in expected["scores"].items():
        shown.add_row(TITLES[name], "–" if value is None else f"{value:.3f}")
    console.print(shown)
    console.print(expected["source"], style="dim", markup=False)
    console.print(f"model and its card (README.md) in {folder}", markup=False)
    # Not wrapped, so that it can be copied.
    echo(f"next: {shlex.join(['equipoise', 'predict', '--model', str(folder), '--dataset', 'new.csv'])}")


def predict(
    model: Path,
    dataset: str,
    *,
    out: Path,
    scores: bool,
    delimiter: str | None,
    encoding: str,
    plugins: list[str],
) -> None:
    """Predict the rows of a file into another one, and print how often each label was predicted."""
    check_out(out, dataset, model)
    # Before the model: its folder names plugins, and loads none by itself.
    for plugin in plugins:
        _load(plugin)
    loaded = load_model(model)
    # A note and no refusal: the predictions are right, if not equal in their last bits.
    if changed := _changed(loaded):
        echo(
            f"note: the model was fitted with {changed}; predictions may differ in their last digits",
            to_err=True,
        )
    X, rows = read_rows(dataset, loaded, delimiter, encoding)
    write_predictions(out, loaded, X, scores=scores)
    echo(f"{rows} rows predicted, {len(loaded.labels)} labels: {out}")


def _changed(model: Model) -> str:
    """The libraries that have another version than when the model was fitted, in words; "" if none has."""
    # The bits of a prediction do not depend on Python's own version.
    now = versions()
    changed = {n: v for n, v in model.facts["versions"].items() if n != "python" and now.get(n) != v}
    return ", ".join(
        f"{name} {version} (here {now.get(name, 'missing')})" for name, version in changed.items()
    )


def recipe(model: Path | None, dataset: str | None, *, results: Path, out: Path | None) -> None:
    """Print or write the winner as a plain PyTorch script."""
    if model is not None and dataset is not None:
        raise EquipoiseError("--model knows its data: leave out --dataset")
    if out is not None:
        out = check_out(out, model=model)
    winner = of_model(load_model(model)) if model is not None else of_report(results, dataset)
    script = write_recipe(winner)
    if out is None:
        echo(script.rstrip("\n"))
        return
    write_whole(out, script)
    echo(
        f"recipe written to {out}: {shlex.join(['python', str(out), 'train.csv', 'new.csv', 'predictions.csv'])}"
    )


def _load(plugin: str) -> None:
    """Load a plugin file, of whatever kind its classes are."""
    part = only_part(plugin)
    if not part.file:
        load_plugins([place for kind in ("strategy", "backbone") if (place := part.place(kind))])
        return
    # One file may hold both kinds.
    for kind in ("strategy", "backbone"):
        registry(kind).load_file(part.file)
