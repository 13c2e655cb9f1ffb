"""Python functions for users: run a suite or a combination, and get the best possible scores of a generated dataset."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from equipoise.bayes import DRAWS, BayesScore, Posterior, posterior_of, scores_of
from equipoise.catalog.datasets import load_source, source_of
from equipoise.catalog.lookup import offered
from equipoise.catalog.objects import spec_of
from equipoise.catalog.plugins import loading
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.contracts.strategy import Strategy
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.core.system import cpus
from equipoise.experiment.settings import Settings
from equipoise.readers.downloads import default_data_dir
from equipoise.splits.outer import Split
from equipoise.store.rows import Selection, flatten
from equipoise.store.store import Store
from equipoise.sweep.plan import make_plan, warnings_of
from equipoise.sweep.pool import begin, end_if_starting
from equipoise.sweep.run import outstanding, sweep
from equipoise.sweep.suite import Block, Suite, load_suite
from equipoise.sweep.watching import Watcher
from equipoise.sweep.worker_count import parse_workers

if TYPE_CHECKING:
    import pandas as pd

    from equipoise.cluster.executor import Cluster
    from equipoise.publishing import reuse as reused
    from equipoise.rankings import export as ranked
    from equipoise.rankings.model import Ranking
else:
    ranked = lazy("equipoise.rankings.export")
    reused = lazy("equipoise.publishing.reuse")

#: Names, or objects in their place; one or several.
Datasets = str | Dataset | DatasetSource | Sequence[str | Dataset | DatasetSource]
Backbones = str | Backbone | type[Backbone] | Sequence[str | Backbone | type[Backbone]]
Strategies = str | Strategy | type[Strategy] | Sequence[str | Strategy | type[Strategy]]


def run(
    suite: str | None = None,
    *,
    dataset: Datasets | None = None,
    backbone: Backbones | None = None,
    strategy: Strategies | None = None,
    splits: Split | None = None,
    seed: int | None = None,
    cell_timeout: float | None = None,
    workers: int | str = 1,
    cluster: str | Cluster | None = None,
    device: str = "auto",
    redo: str = "missing",
    reuse: str | Path | Sequence[str | Path] = (),
    results: str | Path = "results/live",
    data_dir: str | Path | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Run a suite, or every combination of datasets, backbones and strategies; cells that have a row are not run again.

    Args:
        suite: the name of a suite, or a TOML file; without one, give the next three.
        dataset: names, paths, `Dataset` objects or sources of them. backbone, strategy: names with settings, as on the command
            line, or classes and instances. A script that defines such a class must guard its entry with
            `if __name__ == "__main__":`, since it is loaded once more as a plugin file.
        splits: how many outer splits (default 3), or "official": the one split that comes with the data. Its development rows
            are used for training.
        seed: the seed from which all random streams are derived (default 0).
        cell_timeout: the most seconds that a cell may take; a cell that takes longer has a failed row. None for no limit, or that
            of the suite. Rows do not depend on it.
        workers: processes, or "auto": as many as CPUs, memory and cells allow. With more than one, a script must guard its
            entry with `if __name__ == "__main__":`, so one is the default here.
        cluster: run on the workers of a dask scheduler, instead: tcp://HOST:PORT, or a `Cluster` for TLS (docs/cluster.md).
        device: "auto", "cpu" or "cuda".
        redo: "missing" runs cells without a row, "failed" also those that failed, "all" everything.
        reuse: folders of published results. Their rows are copied into the store where their keys are those of planned cells.
        results: the store's folder.
        settings: the fields of `equipoise.experiment.settings.Settings`, e.g. `trials=4`.

    Returns:
        A frame with one line for each cell, and columns such as "fixed/macro_f1", "tuned/macro_f1", "param/lr".

    Warns:
        UserWarning: a line for each problem of the data (labels too rare for the folds, inputs that reveal a label, one label in
            every row) and for compositions whose parts work against each other.

    Raises:
        EquipoiseError: bad input, in one line that says what is wrong.
    """
    end_if_starting()
    if loading():
        raise EquipoiseError(
            "equipoise.run is called while this file is loaded as a plugin: put what runs below `if __name__ == '__main__':`"
        )
    if cluster is not None and workers not in (1, "auto"):
        raise EquipoiseError("workers are processes on this machine: give them, or cluster")
    # A plan knows data sets by name; those that are given as objects are handed to it beside the names.
    folder = None if data_dir is None else Path(data_dir)
    loaded = [_loaded(d, folder) for d in _listed(dataset)]
    objects = {d.name: d for d in loaded if isinstance(d, Dataset)}
    chosen = choose(
        suite,
        [d.name if isinstance(d, Dataset) else str(d) for d in loaded],
        [spec_of("backbone", b) for b in _listed(backbone)],
        [spec_of("strategy", s) for s in _listed(strategy)],
        settings,
        splits,
        seed,
        cell_timeout,
    )
    executor = lazy("equipoise.cluster.executor").Cluster(cluster) if isinstance(cluster, str) else cluster
    if executor is None:
        prepare(chosen, workers)  # first: workers import PyTorch while this process does
    plan = make_plan(chosen, device=device, data_dir=folder, data=objects)
    store = Store(Path(results))
    if reuse:
        folders = [Path(one) for one in ([reuse] if isinstance(reuse, str | Path) else reuse)]
        reused.reusable(folders, plan, store, redo).copy_to(store)
    # Lazily, since its libraries take a second to import.
    before = lazy("equipoise.diagnosis.cautions").before_running(outstanding(plan, store, redo), plan.data)
    for line in (*warnings_of(plan), *before):
        warnings.warn(line, stacklevel=2)
    sweep(plan, store, workers=workers, redo=redo, watcher=watcher, executor=executor)
    # The store may hold the rows of other calls, too.
    keys = {c.key for c in plan.cells} | {c.key for c, _ in plan.skipped}
    rows = store.rows(Selection())
    if store.damage:
        warnings.warn(store.damage, stacklevel=2)
    return flatten(row for row in rows if row["key"] in keys)


def rank(*results: str | Path, metric: str = "map") -> list[Ranking]:
    """Rank the strategies over all data sets of one or several stores, as `equipoise report --across` prints it.

    Args:
        results: the folders of stores; default: results/live.
        metric: "map", or "tuned_macro_f1".

    Returns:
        With several backbones the ranking over all of them first, then one for each backbone.

    Raises:
        EquipoiseError: there are no rows, the metric is unknown, or the extra `statistics` is not installed.
    """
    stores = [Store(Path(folder)) for folder in results or ("results/live",)]
    found = ranked.rank_stores(stores, metric)
    for store in stores:
        if store.damage:
            warnings.warn(store.damage, stacklevel=2)
    if not found:
        raise EquipoiseError(
            f"no rows in {', '.join(str(folder) for folder in results or ('results/live',))}"
        )
    return found


def bayes_posterior(dataset: str, X: ArrayLike | None = None, **options: Any) -> Posterior:
    """The exact posterior of texts of a generated world: P(y_l = 1 | text), (n, L), and the most probable labelset.

    Args:
        dataset: a name with its options, as `load_dataset` takes it; they set the distribution the texts come from.
        X: (n,) texts; default: the rows of the dataset.
        options: the same as in brackets, over which they have precedence.

    Raises:
        EquipoiseError: the distribution behind the dataset is not known, or a text cannot come from it.
    """
    return posterior_of(source_of(dataset, options), X)


def bayes_scores(
    dataset: str, *, rows: ArrayLike | None = None, draws: int = DRAWS, **options: Any
) -> dict[str, BayesScore]:
    """The best possible score of each metric, in the population and on the rows of a generated dataset.

    Args:
        dataset, options: as in `bayes_posterior`.
        rows, draws: see `equipoise.bayes.scores_of`.

    Raises:
        EquipoiseError: the distribution behind the dataset is not known, or `draws` is too small.
    """
    return scores_of(source_of(dataset, options), rows=rows, draws=draws)


def choose(
    suite: str | None,
    datasets: Sequence[str],
    backbones: Sequence[str],
    strategies: Sequence[str],
    settings: Mapping[str, Any],
    splits: Split | None,
    seed: int | None,
    cell_timeout: float | None = None,
) -> Suite:
    """A suite by its name with these settings changed, or a suite of every combination of the names.

    Raises:
        EquipoiseError: both a suite and names are given, or names of one kind are missing.
    """
    names = {"dataset": datasets, "backbone": backbones, "strategy": strategies}
    if suite is not None:
        if extra := [n for n, v in names.items() if v]:
            raise EquipoiseError(
                f"give a suite or combinations, not both: suite {suite!r} and {', '.join(extra)}"
            )
        # Splits or seed of None are not given: a suite keeps its own, a combination gets the defaults below.
        return load_suite(suite).with_changes(settings, splits=splits, seed=seed, cell_timeout=cell_timeout)
    if missing := [n for n, v in names.items() if not v]:
        raise EquipoiseError(f"say what to run: a suite, or at least one each of {', '.join(missing)}")
    block = Block(
        tuple(datasets),
        tuple(backbones),
        tuple(strategies),
        Settings.of(settings),
        3 if splits is None else splits,
        seed or 0,
        cell_timeout,
    )
    return Suite("combination", "", (block,))


def prepare(chosen: Suite, workers: int | str) -> None:
    """Where there may be several workers, begin their imports in another process while this one makes the plan."""
    possible = sum(block.size for block in chosen.blocks)
    # None stands for "auto", which never means more workers than CPUs. A single cell needs none.
    if possible > 1 and (parse_workers(workers) or cpus()) > 1:
        begin()


def _loaded(dataset: Any, folder: Path | None) -> Any:
    """The data set of a source; anything else as it is."""
    if isinstance(dataset, type):
        dataset = offered("dataset", dataset)
    if not isinstance(dataset, DatasetSource):
        return dataset
    return load_source(dataset, default_data_dir() if folder is None else folder)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    # A string is a sequence, too, but it is one name.
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
