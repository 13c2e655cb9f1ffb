"""What `bench_competence.py` measures: which data, our backbones and the references, each on the same outer splits.

Every model goes the same way from scores to a decision (`decided`): the thresholds that a cell of ours would fit, from
scores of training rows that the model did not see.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from competence_rows import Row, load, put
from reference_models import LinearMargin, Logistic, Perceptron, Predictions, Problem, Reference, Trees
from reference_networks import BiLSTM, TextCNN

import equipoise
from equipoise import metrics
from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.dataset import Dataset
from equipoise.core.seeds import seed_of
from equipoise.experiment.decision import fit_decision_rule
from equipoise.experiment.settings import Settings
from equipoise.splits.groups import groups_of
from equipoise.splits.outer import OFFICIAL, Split, outer_split, split_hash, stratified_folds


class Data(NamedTuple):
    """A data set and its outer splits: so many, or the official one.

    `tuned_on`: whether our settings were chosen while looking at it; the others show what a stranger's data would get.
    """

    name: str
    kind: str
    splits: Split
    tuned_on: bool

    @property
    def each(self) -> tuple[Split, ...]:
        return tuple(range(self.splits)) if isinstance(self.splits, int) else (self.splits,)


class Ours(NamedTuple):
    """A backbone of ours under `none`, and the data sets it runs on (empty: all of its kinds)."""

    spec: str
    kinds: tuple[str, ...] = ("text", "numeric")
    datasets: tuple[str, ...] = ()


#: The cheapest first, so that an interrupted run has most of the table.
DATA = (
    Data("emotions", "numeric", 3, tuned_on=False),
    Data("scene", "numeric", 3, tuned_on=False),
    Data("yeast", "numeric", 3, tuned_on=True),
    Data("design-emails", "text", 3, tuned_on=True),
    Data("enron-email", "text", 3, tuned_on=True),
    Data("bibtex", "numeric", 1, tuned_on=False),
    Data("reuters-21578", "text", OFFICIAL, tuned_on=True),
)
#: Backbones whose settings or data were chosen: most take too long for all data of their kinds.
CHOSEN = (
    Ours("linear"),
    Ours("mlp"),
    Ours("logistic_regression", datasets=("emotions", "yeast", "design-emails", "enron-email")),
    Ours("linear_svc", datasets=("emotions", "yeast", "design-emails", "enron-email")),
    Ours("extra_trees", datasets=("emotions",)),
    Ours("gradient_boosting", datasets=("emotions",)),
    Ours("embedding_bag", ("text",), ("design-emails", "enron-email")),
    Ours("lstm[max_tokens=100]", ("text",), ("design-emails",)),
    Ours("textcnn[max_tokens=100]", ("text",), ("design-emails",)),
    Ours("gru[max_tokens=100]", ("text",), ("design-emails",)),
    Ours("sentence_embedding[model=wordllama,concat=tfidf]", ("text",), ("design-emails", "enron-email")),
)
#: The data for every other backbone of this package: the cheapest of each kind.
CHEAPEST = ("emotions", "design-emails")
#: The most microseconds a row and epoch, by the declared rate, that another backbone may take on texts of 100 words.
AFFORDABLE = 10_000.0


def others() -> Iterator[Ours]:
    """The backbones of this package that are not in `CHOSEN`, without those that would take hours or declare no rate."""
    chosen = {ours.spec.partition("[")[0] for ours in CHOSEN}
    for name in registry("backbone").names():
        backbone = get_backbone(name)
        new = name not in chosen and type(backbone).__module__.startswith("equipoise.")
        micros = backbone.rate and backbone.rate.row + backbone.rate.token * backbone.tokens_read(100)
        if new and micros is not None and micros <= AFFORDABLE:
            yield Ours(name, tuple(backbone.accepts), CHEAPEST)


OURS = (*CHOSEN, *others())
REFERENCES: tuple[Reference, ...] = (Logistic(), LinearMargin(), Perceptron(), Trees(), BiLSTM(), TextCNN())
#: Data sets on which a reference would take many minutes and no goal needs it.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "LinearSVC": ("bibtex",),
    "ExtraTrees": ("bibtex", "reuters-21578"),
    "BiLSTM": ("enron-email", "reuters-21578"),
    "TextCNN": ("enron-email", "reuters-21578"),
}


def reference_runs() -> Iterator[tuple[Data, Split, Reference]]:
    """Every reference on every split of the data that it takes."""
    for data in DATA:
        for model in REFERENCES:
            if data.kind in model.kinds and data.name not in LEFT_OUT.get(model.name, ()):
                yield from ((data, split, model) for split in data.each)


def our_runs() -> Iterator[tuple[Data, Ours]]:
    """Every backbone of ours on the data that it takes."""
    for data in DATA:
        for ours in OURS:
            if data.kind in ours.kinds and (not ours.datasets or data.name in ours.datasets):
                yield data, ours


@lru_cache(maxsize=1)
def dataset(name: str) -> Dataset:
    """A data set, held until the next is asked for."""
    return equipoise.load_dataset(name)


def problem_of(data: Dataset, split: Split) -> tuple[Problem, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The problem of an outer split (at seed 0), the labels of its test rows, and its (train, test) row positions."""
    groups = groups_of(data)
    train, test = outer_split(data.Y, split, 0, data.official, groups)
    seed = seed_of("reference", data.sha256, split, 0)
    Y = np.ascontiguousarray(data.Y[train])
    folds = stratified_folds(Y, Settings().folds, seed % 2**63, None if groups is None else groups[train])
    return Problem(data.kind, data.X[train], Y, data.X[test], folds, seed), data.Y[test], (train, test)


def decided(found: Predictions, problem: Problem) -> dict[str, np.ndarray]:
    """The test rows decided at 0 ("fixed") and at smoothed per-label thresholds ("tuned"), as those of our cells are."""
    role = ("reference", problem.seed)
    rule = fit_decision_rule(get_strategy("none"), found.oof, problem.Y[found.rows], found.folds, role)
    return rule.all(found.test)


def scores(decisions: dict[str, np.ndarray], Y: np.ndarray) -> dict[str, float]:
    """The metrics of a row."""
    return {
        "map": metrics.mean_average_precision(Y, decisions["scores"]),
        "fixed_macro_f1": metrics.macro_f1(Y, decisions["fixed"]),
        "tuned_macro_f1": metrics.macro_f1(Y, decisions["tuned"]),
        "tuned_micro_f1": metrics.micro_f1(Y, decisions["tuned"]),
    }


@lru_cache
def rule_fingerprint() -> str:
    """What the selection and the thresholds do to fixed scores: cached rows are reused while this is the same.

    A hash of their code would ask for hours of training after a change of a message.
    """
    rng = np.random.default_rng(0)
    Y = (rng.random((240, 5)) < np.array([0.5, 0.3, 0.1, 0.05, 0.02])).astype(np.uint8)
    z = rng.normal(size=Y.shape) + 2 * Y - 1
    problem = Problem("numeric", z, Y, z, np.arange(240) % 3, 0)
    made = decided(Predictions(z, np.arange(240), problem.folds, rng.normal(size=(2000, 5)), {}), problem)
    return hashlib.sha256(b"".join(np.packbits(made[n]).tobytes() for n in ("fixed", "tuned"))).hexdigest()[
        :16
    ]


def reference_key(
    data: Dataset, split: Split, model: Reference, rows: tuple[np.ndarray, np.ndarray], folds: np.ndarray
) -> str:
    """The identity of a cached row: data, split, model with its settings, versions, the rule of thresholds, and inner folds."""
    parts = [data.sha256, str(split), split_hash(*rows), repr(model), _versions(model), rule_fingerprint()]
    # Without groups the folds follow from what is above, and rows measured before there were groups keep their keys.
    if groups_of(data) is not None:
        parts.append(hashlib.sha256(folds.astype(np.int8).tobytes()).hexdigest())
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _versions(model: Reference) -> dict[str, str]:
    return {name: version(name) for name in model.libraries}


def reference_row(name: str, split: Split, model: Reference, path: Path) -> Row:
    """The row of a reference: the one in the file where its key is the same, else measured and written now."""
    data = dataset(name)
    problem, Y_test, rows = problem_of(data, split)
    key = reference_key(data, split, model, rows, problem.folds)
    for row in load(path):
        if row["key"] == key:
            return row
    began = time.process_time()
    found = model.predict(problem)
    seconds = time.process_time() - began
    row = _row(name, split, model.name, "reference", key, scores(decided(found, problem), Y_test), seconds)
    row |= {"chosen": found.chosen, "versions": {"python": platform.python_version(), **_versions(model)}}
    put(row, path)
    return row


def our_rows(data: Data, ours: Ours, results: Path, path: Path, **settings: Any) -> list[Row]:
    """The rows of a backbone of ours under `none`, one a split; cells that the store holds already are not run again.

    Args:
        settings: those of `equipoise.run`, for tests; the table is made at the default budget.
    """
    frame = equipoise.run(
        dataset=dataset(data.name),
        backbone=ours.spec,
        strategy="none",
        splits=data.splits,
        device="cpu",
        results=results,
        **settings,
    )
    rows = [
        _ours_row(data.name, ours.spec, {str(n): v for n, v in line.items()})
        for line in frame.to_dict("records")
    ]
    for row in rows:
        put(row, path)
    return rows


def _ours_row(name: str, spec: str, line: dict[str, Any]) -> Row:
    if line["status"] != "ok":
        raise RuntimeError(f"{spec} on {name}, split {line['split']}: {line['status']}: {line.get('error')}")
    found = {
        "map": line["scores/map"],
        **{f"{d}_macro_f1": line[f"{d}/macro_f1"] for d in ("fixed", "tuned")},
        "tuned_micro_f1": line["tuned/micro_f1"],
    }
    chosen = {n.removeprefix("param/"): v for n, v in line.items() if n.startswith("param/") and v == v}
    seconds = line["cost/seconds_total"] + line["cost/seconds_features"]
    row = _row(name, line["split"], spec, "ours", line["key"], found, seconds)
    return row | {"chosen": chosen, "versions": {n: version(n) for n in ("equipoise", "torch", "numpy")}}


def _row(
    name: str, split: Split, model: str, kind: str, key: str, found: dict[str, float], seconds: float
) -> Row:
    place = {"dataset": name, "split": split, "model": model, "kind": kind, "key": key}
    return place | {
        "metrics": {n: round(float(v), 6) for n, v in found.items()},
        "seconds": round(seconds, 1),
    }
