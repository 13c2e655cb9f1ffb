"""What to fit: what the user says, or what the report of a store recommends for the same data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.settings import Settings
from equipoise.report.advice import Advice, advise
from equipoise.report.comparison import compare
from equipoise.report.export import PARTS
from equipoise.report.results import number_of
from equipoise.report.significance import mean
from equipoise.report.units import SplitId, unit_of
from equipoise.splits.outer import OFFICIAL
from equipoise.store.rows import Row
from equipoise.store.store import Store

#: Scores of a row, as a model card calls them, for each decision.
_SCORES = {"map": "scores/map", "macro_f1": "{}/macro_f1", "micro_f1": "{}/micro_f1"}
#: What is read of rows: what the report reads, and the scores of every decision that a model may have.
_PARTS = replace(
    PARTS,
    metrics=(PARTS.metrics or frozenset())
    | {metric.format(decision) for metric in _SCORES.values() for decision in ("tuned", "fixed", "own")},
)


@dataclass(frozen=True)
class Choice:
    """A backbone, a strategy and how to search their settings.

    Attributes:
        candidates: settings to choose among instead of a search; empty for a search.
        decision: "tuned" or "fixed", where a report recommends one; "" where nothing does.
        why: a sentence for the model card.
        rows: the rows of the recommended strategy, one for each split.
        measured: whether these rows were made with the settings of this choice, and so say what to expect of it.
    """

    backbone: str
    strategy: str
    settings: Settings
    candidates: tuple[dict[str, Any], ...] = ()
    decision: str = ""
    why: str = ""
    rows: tuple[Row, ...] = field(default=(), repr=False)
    measured: bool = False

    def scores(self, decision: str) -> dict[str, float]:
        """What a model with this decision may expect on new rows: means over the splits, without what is undefined in all."""
        means = {
            title: mean([number_of(row, metric.format(decision)) for row in self.rows])
            for title, metric in _SCORES.items()
        }
        return {title: value for title, value in means.items() if not math.isnan(value)}


def recommended(results: str | Path, data: Dataset | None, name: str, changes: Mapping[str, Any]) -> Choice:
    """The choice that the report of a store recommends.

    Args:
        data: the data to fit; their content decides which rows count. None: the only data set of the store, or `name`.
        changes: settings that the user gave. With `trials`, the hyperparameters are searched anew; without, those that the
            search chose in the splits are compared.

    Raises:
        EquipoiseError: the store has no recommendation for these data.
    """
    store = Store(Path(results))
    rows = store.rows(_PARTS)
    if store.damage:
        raise EquipoiseError(store.damage)
    advice = _advice(results, rows, data, name)
    own = _rows(rows, advice)
    settings, before = Settings.of({**advice.settings, **changes}), Settings.of(advice.settings)
    # How long the search is changes what it finds, and by little what that is worth. Any other setting may change it by much.
    measured = replace(settings, trials=before.trials) == before
    candidates = () if "trials" in changes else _distinct([row["params"] for row in own])
    return Choice(
        # The spec, since the report names backbones with files by the files' content.
        own[0]["backbone"],
        advice.strategy,
        settings,
        candidates,
        advice.decision,
        f"Its strategy and backbone are those that the report recommends after {len(own)} splits of these data.",
        tuple(own),
        measured,
    )


def recommended_name(results: str | Path) -> str:
    """The data set of a store, where it has one.

    Raises:
        EquipoiseError: it has several, or none with a recommendation.
    """
    return _advice(results, Store(Path(results)).rows(PARTS), None, "").dataset


def _advice(results: Any, rows: Sequence[Mapping[str, Any]], data: Dataset | None, name: str) -> Advice:
    # The report's own advice, so that a model is what its reader was told to use.
    every = advise(compare(rows))
    if not every:
        raise EquipoiseError(
            f"{results} has no data set with a finished baseline, which a recommendation needs: run `none` and other strategies "
            "first (equipoise run)"
        )
    # By content: a file may have been renamed since, and another may have its name now.
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


def _rows(rows: Sequence[Row], advice: Advice) -> list[Row]:
    """The rows that the advice rests on: those of the recommended strategy with the settings of its table, one for each split."""
    # A file of word vectors may have been moved between two rows, which changes the spec and not the content.
    contents = {_content(row) for row in rows if row["backbone"] == advice.backbone}
    found: dict[SplitId, Row] = {}
    for row in rows:
        if (
            row["status"] == "ok"
            and row["split"] != OFFICIAL
            and row["strategy"] == advice.strategy
            and row.get("dataset_sha256", "") == advice.data_sha256
            and _content(row) in contents
            # Rows of other settings are of other searches, and do not say what these settings are worth.
            and (row.get("settings") or {}) == advice.settings
        ):
            # Of several rows of a split, as after an update, the last one counts.
            found[unit_of(row)] = dict(row)
    return list(found.values())


def _content(row: Mapping[str, Any]) -> str:
    """What tells the backbone of a row from others, as `equipoise.report.comparison.compare` does."""
    return str(row.get("backbone_identity") or row["backbone"])


def _distinct(params: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    # By their text, since dictionaries cannot be hashed; several splits may have chosen the same.
    return tuple({str(sorted(p.items())): p for p in params}.values())
