"""Is anything wrong with the data? Duplicates, leaks, empty and constant things, labels too rare for the folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.diagnosis.sections.duplicates import Split, duplicates_section
from equipoise.diagnosis.sections.folds import folds_section
from equipoise.diagnosis.sections.inputs import is_sparse
from equipoise.diagnosis.sections.leaks import constant_columns, leaks_section, lengths

NAMED = 8  # labels or columns named in a sentence


def health_section(data: Dataset, split: Split, split_name: str, inner: int, seed: int) -> dict[str, Any]:
    """Everything found as plain data, and `problems` and `fine` in words; rows are counted from 0."""
    found: dict[str, Any] = {
        "split": split_name,
        "duplicates": duplicates_section(data, split, seed),
        "empty": _empty(data),
        "folds": folds_section(data, inner),
        "constant_features": constant_columns(data),
        "text_words": lengths(data),
        "leaks": leaks_section(data),
    }
    problems = [line for part in (_leaking, _crossing, _duplicated, _missing, _rare) for line in part(found)]
    return {**found, "problems": problems, "fine": _fine(found)}


def _empty(data: Dataset) -> dict[str, int]:
    X: Any = data.X
    if data.kind == "text":
        blank = sum(not text.strip() for text in X)
    else:
        used = np.diff(X.indptr) if is_sparse(X) else np.count_nonzero(X, axis=1)
        blank = int((used == 0).sum())
    return {"rows_without_label": int((~data.Y.any(axis=1)).sum()), "rows_without_input": int(blank)}


def _duplicated(found: dict[str, Any]) -> list[str]:
    exact, near = found["duplicates"]["exact"], found["duplicates"]["near"]
    said = []
    if exact["rows_too_many"]:
        said.append(
            f"{_count(exact['rows_too_many'], 'row repeats', 'rows repeat')} the input of an earlier one "
            f"({_count(exact['groups'], 'group', 'groups')}; for example rows {_rows(exact['examples'][0])})."
        )
    if exact["contradicting_groups"]:
        clash = exact["contradicting_examples"][0]
        said.append(
            f"{_count(exact['contradicting_groups'], 'group has', 'groups have')} equal inputs but different labels "
            f"({exact['contradicting_rows']} rows; for example rows {_rows(clash['rows'])} disagree about "
            f"{_named(clash['labels'])}): no model can be right on all of them."
        )
    if near["pairs"]:
        clashing = f", {near['contradicting_pairs']} of them with different labels" * bool(
            near["contradicting_pairs"]
        )
        said.append(
            f"{_count(near['pairs'], 'pair of rows is', 'pairs of rows are')} nearly equal{clashing} "
            f"(for example rows {_rows(near['examples'][0])})."
        )
    return said


def _crossing(found: dict[str, Any]) -> list[str]:
    across = found["duplicates"]["across_split"]
    if not across["exact"] + across["near"]:
        return []
    return [
        f"Of {across['test_rows']} test rows ({found['split']}) {across['exact']} have an equal and {across['near']} more "
        "a nearly equal row in training: scores there are flattered."
    ]


def _leaking(found: dict[str, Any]) -> list[str]:
    said = [
        f"Input {hint['feature']!r} {'is' if hint['same'] else 'is nearly'} label {hint['label']!r} "
        f"({'turned round, ' * (hint['strength'] < 0)}{abs(hint['strength']):.3f}): would you have it before you know "
        "the label?"
        for hint in found["leaks"]["features"][:NAMED]
    ]
    if by := found["leaks"]["sorted_by"]:
        said.append(f"The rows are sorted by {_named(by)}: never split them by position (run does not).")
    return said


def _missing(found: dict[str, Any]) -> list[str]:
    empty, constant = found["empty"], found["constant_features"]
    said = []
    if empty["rows_without_label"]:
        said.append(
            f"{_count(empty['rows_without_label'], 'row has', 'rows have')} no label: fine if that means “none of "
            "them”, harmful if it means “not labelled yet”."
        )
    if empty["rows_without_input"]:
        said.append(
            f"{_count(empty['rows_without_input'], 'row has', 'rows have')} an empty input (no text, or all zeros)."
        )
    if constant:
        said.append(
            f"{_count(len(constant), 'feature never changes', 'features never change')}: {_named(constant)}."
        )
    return said


def _rare(found: dict[str, Any]) -> list[str]:
    return [
        f"{_count(len(kind['labels']), 'label', 'labels')} ({_named(kind['labels'])}): {kind['happens']}."
        for kind in found["folds"]["troubled"]
    ]


def _fine(found: dict[str, Any]) -> list[str]:
    """What was looked for and not found."""
    duplicates, leaks = found["duplicates"], found["leaks"]
    checks = {
        "no equal rows": not duplicates["exact"]["rows_too_many"],
        f"no nearly equal rows among {duplicates['near']['rows_compared']} compared": not duplicates["near"][
            "pairs"
        ]
        and duplicates["near"]["rows_compared"] > 0,
        "no row on both sides of the split": not sum(
            duplicates["across_split"][kind] for kind in ("exact", "near")
        ),
        "every row has a label": not found["empty"]["rows_without_label"],
        "no empty input": not found["empty"]["rows_without_input"],
        "no constant feature": not found["constant_features"] and found["text_words"] is None,
        "no input that gives a label away": not leaks["features"],
        "rows not sorted by a label": not leaks["sorted_by"],
        "every label in every fold": not found["folds"]["troubled"],
    }
    return [words for words, holds in checks.items() if holds]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _rows(rows: list[int]) -> str:
    return ", ".join(str(row) for row in rows)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
