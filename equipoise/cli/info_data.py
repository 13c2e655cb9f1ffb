"""The record of `equipoise info` for data that it reads or generates: a file, or a dataset with options."""

from __future__ import annotations

from typing import Any

from equipoise.api import bayes_scores
from equipoise.bayes import DRAWS
from equipoise.catalog.datasets import load_dataset, named_dataset
from equipoise.core.errors import EquipoiseError


def describe_data(name: str) -> dict[str, Any]:
    """Size, labels and the loader's notes; with the best possible scores where the distribution of the data is known."""
    data = load_dataset(name)
    positives = data.Y.sum(0, dtype=int).tolist()
    return {
        "kind": "dataset",
        "name": named_dataset(name) if "[" in name else data.name,
        "rows": data.n_rows,
        "inputs": "text" if data.kind == "text" else f"{data.X.shape[1]} numbers",
        "labels": dict(zip(data.labels, positives, strict=True)),
        "notes": list(data.notes),
    } | _best_scores(name)


def _best_scores(name: str) -> dict[str, Any]:
    """The Bayes-optimal scores of a generated dataset whose distribution is known; nothing for other data."""
    try:
        scores = bayes_scores(name)
    # The distribution of most data sets is unknown, which is no mistake of the user.
    except EquipoiseError:
        return {}
    return {
        "best possible": {
            metric: {
                "population": round(score.best, 4),
                "error": round(score.error, 4),
                "these rows": round(score.here, 4),
                "decide": score.rule,
            }
            for metric, score in scores.items()
        },
        "population": f"expected over new mails of the same distribution ({DRAWS:,} drawn, their labels integrated out exactly), "
        "with its standard error",
    }
