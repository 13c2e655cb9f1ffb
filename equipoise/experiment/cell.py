"""One cell, dataset × backbone × strategy × outer split, from data to a row: the pipeline, top to bottom."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.code_hash import meaning
from equipoise.engine.scheduler import TrainingCoroutine, run_one
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import Split

#: The rooms that make the numbers: a row is reused only while they do the same.
NUMBERS = ("core", "ops", "contracts", "splits", "resampling", "engine", "experiment", "metrics")
#: Modules of no room of their own that do so, too.
MODULES = ("measures", "thresholds")


@dataclass(frozen=True)
class Cell:
    """What is planned, run, resumed, recorded and distributed.

    `dataset`, `backbone` and `strategy` are specs as a user writes them; `key` is a hash over everything that decides the
    row: the data's content, the code of strategy, backbone and engine, the settings, and the versions of the libraries.
    """

    dataset: str
    dataset_sha256: str
    backbone: str
    strategy: str
    split: Split
    seed: int
    settings: Settings
    device: str
    code: str
    plugin: str | None = None

    @cached_property
    def key(self) -> str:
        """16 hex digits; where a plugin file lies and how the data is called do not count."""
        fields = {k: v for k, v in dataclasses.asdict(self).items() if k not in ("plugin", "dataset")}
        text = json.dumps([fields, versions()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def row(self, status: str, **more: Any) -> dict[str, Any]:
        """A row with everything that identifies the cell, and more."""
        from equipoise.engine.device import THREADS

        return {
            "key": self.key,
            "status": status,
            "dataset": self.dataset,
            "dataset_sha256": self.dataset_sha256,
            "backbone": self.backbone,
            "strategy": self.strategy,
            "split": self.split,
            "seed": self.seed,
            "device": self.device,
            "settings": dataclasses.asdict(self.settings),
            "code": self.code,
            "versions": versions(),
            "threads": THREADS,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": None,
            "traceback": None,
            "reason": None,
            **more,
        }


Result: TypeAlias = "tuple[dict[str, Any], dict[str, np.ndarray]]"


def run_cell(cell: Cell, data: Dataset, report: Callable[[float], None] | None = None) -> Result:
    """Run a cell: its row, and the predictions to keep beside it.

    Args:
        report: called with the share that is done, 0..1.
    """
    from equipoise.engine.device import repeatable, resolve

    with repeatable(resolve(cell.device)):
        return run_one(cell_steps(cell, data, report))


def cell_steps(
    cell: Cell, data: Dataset, report: Callable[[float], None] | None = None
) -> TrainingCoroutine[Result]:
    """A cell from data to row, asking for the trainings it needs (`equipoise.engine.scheduler`).

    Test rows are read after everything is chosen. All randomness comes from streams named by the cell's role.
    """
    from equipoise import metrics
    from equipoise.catalog.registry import registry
    from equipoise.catalog.strategies import get_strategy, with_params
    from equipoise.engine.device import resolve
    from equipoise.experiment.cross_validation import CrossValidator
    from equipoise.experiment.decision import fit_decision_rule
    from equipoise.experiment.prepared import prepared
    from equipoise.experiment.search import search
    from equipoise.splits.outer import split_hash

    if cell.plugin is not None:
        registry("strategy").add_file(cell.plugin)
    device = resolve(cell.device)
    strategy, backbone = get_strategy(cell.strategy), get_backbone(cell.backbone)
    ready = prepared(cell, data, backbone)
    train, test = ready.train, ready.test
    began = time.perf_counter()  # what all strategies share is no strategy's cost
    bench = CrossValidator(
        strategy,
        backbone,
        ready.on(device),
        ready.averaged,
        ready.nominal,
        ready.Y,
        ready.folds,
        ready.role,
        cell.settings,
        device,
    )
    clock = [0.0]
    found = yield from search(bench, report)
    clock.append(bench.work.spent(began))
    oof = found.outcome.logits[found.rows]
    chosen = with_params(strategy, found.params)
    decider = fit_decision_rule(chosen, oof, bench.Y[found.rows], found.folds, bench.role)
    model = yield from bench.refitting(found.params, found.outcome.steps)
    clock.append(bench.work.spent(began))
    logits = bench.predict([model], ready.test_inputs.to(device), [np.arange(len(test))])[0]
    made = decider.all(logits)
    clock.append(bench.work.spent(began))
    names = ("fixed", "tuned", "own")
    Y, Y_train = data.Y[test], data.Y[train]
    scores = {f"scores/{k}": v for k, v in metrics.score_metrics(Y, made["scores"], Y_train).items()}
    decided = {f"{n}/{k}": v for n in names for k, v in metrics.decision_metrics(Y, made[n], Y_train).items()}
    labels = {
        f"{n}/{k}": v
        for n in names[:2]
        for k, v in metrics.per_label(Y, made[n], made["scores"], Y_train).items()
    }
    row = cell.row(
        "ok",
        generated=data.generated,
        split_sha256=split_hash(train, test),
        params=found.params,
        objective=found.value,
        metrics={**decided, **scores},
        per_label=labels,
        labels=list(data.labels),
        audit=model.audit,
        trials=found.trials,
        cost={**_cost(clock, bench.work), "seconds_features": ready.seconds},
    )
    predictions = {
        "test_rows": test,
        "test_logits": made["scores"].astype(np.float32),
        "test_Y": Y,
        **{f"test_{n}": made[n].astype(np.uint8) for n in names},
        "oof_rows": train[found.rows],
        "oof_logits": oof.astype(np.float32),
        "oof_Y": Y_train[found.rows],
        "oof_folds": found.folds,
    }
    return row, predictions


def get_backbone(spec: str) -> Any:
    """The backbone written as `spec`: a name, with settings in brackets.

    Raises:
        EquipoiseError: an unknown name or setting, or a value of the wrong type.
    """
    from equipoise.catalog.registry import registry
    from equipoise.catalog.specs import parse
    from equipoise.contracts.hyperparameters import checked

    name, settings = parse(spec)
    cls = registry("backbone").get(name)
    values = checked("backbone", name, cls, settings)
    return cls(**values, pinned=frozenset(values))


@lru_cache
def engine_code() -> str:
    """A hash over what the modules that make the numbers do."""
    here = Path(__file__).parent.parent
    files = [here / f"{n}.py" for n in MODULES] + [
        f for n in NUMBERS for f in sorted((here / n).glob("*.py"))
    ]
    text = "\n".join(meaning(f.read_text(encoding="utf-8")) for f in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache
def versions() -> dict[str, str]:
    """The versions of what the numbers depend on."""
    from importlib.metadata import version

    names = ("equipoise", "torch", "numpy", "scipy", "scikit-learn", "optuna")
    return {"python": platform.python_version(), **{n: version(n) for n in names}}


def _cost(clock: list[float], work: Any) -> dict[str, Any]:
    """What the cell took by itself: seconds in which only others' lanes were trained are not in it."""
    search, refit, predict = (b - a for a, b in itertools.pairwise(clock))
    return {
        "seconds_total": clock[-1],
        "seconds_search": search,
        "seconds_refit": refit,
        "seconds_predict": predict,
        "seconds_training": work.seconds,
        "train_rows_per_s": work.rows / work.seconds if work.seconds else float("nan"),
        "steps": work.steps,
        "lanes": work.lanes,
        "lanes_side_by_side": work.widest,
    }
