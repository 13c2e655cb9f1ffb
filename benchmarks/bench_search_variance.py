"""Measures how much the search itself contributes to a difference between strategies: `none` against itself by other names.

    pytest benchmarks/bench_search_variance.py -m slow      # minutes; the table goes to results/benchmarks/search-variance.md

Three kinds of plugin, none of which balances anything:
- `order`: the training rows in another order, so that only the batches differ (an A/A test);
- `order1`, `order3`: the same order, with one and three tunable parameters that nothing reads;
- `inert1`, `inert3`: the rows in their own order, with such parameters.

The table shows the variance over outer splits of the difference to `none`, and its ratio to that of `order`. Parameters of a
strategy must not add to the variance: the ratio is 1 for `order1` and `order3`, and 0 for the inert ones. `all shared` shows
what would remain if all trials were shared draws, not only the first half.

There are EQUIPOISE_BENCH_SEEDS (10) times five outer splits; emotions is left out if it is not in the data folder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from story import markdown

from equipoise import load_dataset
from equipoise.api import choose
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.prepared import Preparations
from equipoise.sweep.batches import attempt
from equipoise.sweep.grouping import groups
from equipoise.sweep.plan import make_plan

SEEDS = int(os.environ.get("EQUIPOISE_BENCH_SEEDS", "10"))
SETTINGS = {"trials": 8, "folds": 2, "epochs": 20}
METRICS = ("tuned/macro_f1", "scores/map")
pytestmark = pytest.mark.slow

PLUGIN = """
import numpy as np
from dataclasses import dataclass
from equipoise.contracts.hyperparameters import tunable
from equipoise.contracts.strategy import Strategy

@dataclass(frozen=True)
class Plugin(Strategy):
    "No balancing."
    name = "{name}"
{fields}
    def resample(self, rows, ctx):
        return rows.take({order})
"""
ORDERS = {
    "order": "np.random.default_rng(len(rows)).permutation(len(rows))",
    "inert": "np.arange(len(rows))",
}
KINDS = [("order", 0), ("order", 1), ("order", 3), ("inert", 1), ("inert", 3)]

#: Differences to `none` by strategy and metric, one a split.
Differences = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return plugins(tmp_path_factory.mktemp("plugins"))


def plugins(folder: Path) -> list[str]:
    """Write a plugin file of each kind; returns their paths."""
    files = []
    for kind, count in KINDS:
        name = kind + (str(count) if count else "")
        fields = "".join(f"    p{k}: float = tunable(1.0, low=0.0, high=2.0)\n" for k in range(count))
        (folder / f"{name}.py").write_text(PLUGIN.format(name=name, fields=fields, order=ORDERS[kind]))
        files.append(str(folder / f"{name}.py"))
    return files


def numbers() -> Dataset:
    """600 rows with six labels of 40 % to 3 % positives; half of the columns say something about them."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(600, 24)).astype(np.float32)
    scores = X[:, :6] + 0.5 * X[:, 6:12] + 1.2 * rng.normal(size=(600, 6))
    shares = np.geomspace(0.4, 0.03, 6)
    Y = np.stack([s > np.quantile(s, 1 - share) for s, share in zip(scores.T, shares, strict=True)], axis=1)
    return Dataset("numbers", X, Y.astype(np.uint8), tuple("abcdef"))


def differences(data: Dataset, backbone: str, strategies: list[str]) -> Differences:
    """The differences of every strategy to `none`, over all seeds and splits."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(SEEDS):
        suite = choose(None, [data.name], [backbone], ["none", *strategies], dict(SETTINGS), 5, seed)
        plan = make_plan(suite, device="cpu", data={data.name: data})
        for group in groups(plan.cells):
            rows = {cell.key: row for cell, (row, _) in attempt(group, plan.data, Preparations())}
            # In the order of the plan, so that splits stay paired.
            for cell in group:
                assert rows[cell.key]["status"] == "ok", rows[cell.key]["error"]
                for metric in METRICS:
                    values[cell.strategy][metric].append(rows[cell.key]["metrics"][metric])
    base = values.pop("none")
    return {
        s: {m: np.subtract(v, base[m]) for m, v in of_strategy.items()} for s, of_strategy in values.items()
    }


def ratio(a: np.ndarray, b: np.ndarray) -> str:
    """var(a) / var(b) with a 95 % bootstrap interval over splits."""
    pick = np.random.default_rng(0).integers(0, len(a), (2000, len(a)))
    drawn = a[pick].var(1, ddof=1) / np.maximum(b[pick].var(1, ddof=1), 1e-30)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{a.var(ddof=1) / max(b.var(ddof=1), 1e-30):.2f} ({low:.2f} to {high:.2f})"


def _real(name: str) -> Dataset:
    try:
        return load_dataset(name)
    except EquipoiseError as error:
        pytest.skip(str(error))


def lines(case: str, measured: Differences, base: Differences) -> list[tuple[str, ...]]:
    out = []
    for strategy, by_metric in measured.items():
        cells = [
            f"{by_metric[m].std(ddof=1):.4f} · {ratio(by_metric[m], base['order'][m])}"
            for m in METRICS
            if len(by_metric[m]) > 1
        ]
        out.append((case, strategy, str(len(by_metric[METRICS[0]])), *cells))
    return out


@pytest.mark.parametrize("backbone", ["linear", "mlp"])
@pytest.mark.parametrize("data", ["numbers", "emotions"])
def test_parameters_without_effect_add_no_variance(
    data: str,
    backbone: str,
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
    benchmark: Any,
    tell: Callable[[str, str, str], None],
) -> None:
    dataset = numbers() if data == "numbers" else _real(data)
    measured = benchmark.pedantic(lambda: differences(dataset, backbone, files), rounds=1)
    table = lines(f"{data} {backbone}", measured, measured)
    monkeypatch.setattr("equipoise.experiment.search.proposals.shared", lambda trials: trials)
    shared = {"all shared": differences(dataset, backbone, files[:1])["order"]}
    table += lines(f"{data} {backbone}", shared, measured)
    heads = ("data, backbone", "strategy", "splits", *(f"{m}: sd · variance ÷ A/A" for m in METRICS))
    tell("search-variance", f"{data}, {backbone}", markdown(heads, table))
    for metric in METRICS:
        assert measured["order"][metric].std() > 0, "another order of batches must act"
        for name in ("order1", "order3"):
            assert measured[name][metric].var() == pytest.approx(measured["order"][metric].var())
        for name in ("inert1", "inert3"):
            assert not measured[name][metric].any()
