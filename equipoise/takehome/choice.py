"""What to fit: what the user says, or what the report of a store recommends for the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.settings import Settings
from equipoise.report.advice import Advice, advise
from equipoise.report.comparison import compare
from equipoise.report.export import PARTS
from equipoise.store.store import Store

#: Scores of a row, as a model card calls them, for each decision.
_SCORES = {"map": "scores/map", "macro_f1": "{}/macro_f1", "micro_f1": "{}/micro_f1"}


@dataclass(frozen=True)
class Choice:
    """A backbone, a strategy and how to search their settings.

    Attributes:
        candidates: settings to choose among instead of a search; empty for a search.
        decision: "tuned" or "fixed", where a report recommends one; "" where nothing does.
        why: a sentence for the model card.
        scores: what the report expects, and splits: on how many splits that rests (0: nothing is expected).
        rows: the rows of the recommended strategy, one for each split.
    """

    backbone: str
    strategy: str
    settings: Settings
    candidates: tuple[dict[str, Any], ...] = ()
    decision: str = ""
    why: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    splits: int = 0
    rows: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def recommended(results: str | Path, data: Dataset | None, name: str, changes: Mapping[str, Any]) -> Choice:
    """The choice that the report of a store recommends.

    Args:
        data: the data to fit; their content decides which rows count. None: the only data set of the store, or `name`.
        changes: settings that the user gave. With `trials`, the settings are searched anew; without, those that the search
            chose in the splits are compared.

    Raises:
        EquipoiseError: the store has no recommendation for these data.
    """
    store = Store(Path(results))
    rows = store.rows(PARTS)
    if store.damage:
        raise EquipoiseError(store.damage)
    advice = _advice(results, rows, data, name)
    own = _rows(rows, advice)
    settings = Settings.of({**own[0]["settings"], **changes})
    candidates = () if "trials" in changes else _distinct([row["params"] for row in own])
    scores = {
        title: float(np.mean([row["metrics"].get(metric.format(advice.decision), np.nan) for row in own]))
        for title, metric in _SCORES.items()
    }
    why = f"Its strategy and backbone are those that the report recommends after {len(own)} splits of these data."
    return Choice(
        # The spec, since the report names backbones with files by the files' content.
        own[0]["backbone"],
        advice.strategy,
        settings,
        candidates,
        advice.decision,
        why,
        {title: value for title, value in scores.items() if not np.isnan(value)},
        len(own),
        tuple(own),
    )


def recommended_name(results: str | Path) -> str:
    """The data set of a store, where it has one.

    Raises:
        EquipoiseError: it has several, or none with a recommendation.
    """
    return _advice(results, Store(Path(results)).rows(PARTS), None, "").dataset


def _advice(results: Any, rows: Sequence[Mapping[str, Any]], data: Dataset | None, name: str) -> Advice:
    every = advise(compare(rows))
    if not every:
        raise EquipoiseError(
            f"{results} has no data set with a finished baseline, which a recommendation needs: run `none` and other strategies "
            "first (equipoise run)"
        )
    if data is not None:
        found = [a for a in every if a.data_sha256 == data.sha256]
        missing = f"{results} has no results for these data (SHA-256 {data.sha256[:12]}…)"
    else:
        found = [a for a in every if name in ("", a.dataset)]
        missing = f"{results} has no results for {name!r}"
    known = ", ".join(dict.fromkeys(a.dataset for a in every))
    if not found:
        raise EquipoiseError(f"{missing}; it has results for {known}")
    if len(found) > 1 and data is None:
        raise EquipoiseError(
            f"{results} has results for several data sets: say which with --dataset ({known})"
        )
    return found[0]


def _rows(rows: Sequence[Mapping[str, Any]], advice: Advice) -> list[dict[str, Any]]:
    """The rows of the recommended strategy, one for each split, from the settings that most splits have."""
    groups: dict[str, dict[tuple[Any, Any], dict[str, Any]]] = {}
    for row in rows:
        same = row["dataset_sha256"] == advice.data_sha256 and row["strategy"] == advice.strategy
        backbone = row.get("backbone_identity") or row["backbone"]
        if (
            row["status"] == "ok"
            and same
            and advice.backbone in (backbone, row["backbone"])
            and row["split"] != "official"
        ):
            # Of several rows of a split, as after an update, the last one counts.
            groups.setdefault(str(sorted(row["settings"].items())), {})[row["seed"], row["split"]] = dict(row)
    # Rows of other settings are of other searches, and do not say what these settings are worth.
    return list(max(groups.values(), key=len).values())


def _distinct(params: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    # By their text, since dictionaries cannot be hashed; several splits may have chosen the same.
    return tuple({str(sorted(p.items())): p for p in params}.values())
