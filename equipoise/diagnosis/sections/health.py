"""Checks the data for faults: duplicates, leaks, empty rows, constant features, and labels too rare for the folds."""

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
    """The results of all checks as plain data; `problems` and `fine` put them in words. Rows are counted from 0."""
    checks: dict[str, Any] = {
        "split": split_name,
        "duplicates": duplicates_section(data, split, seed),
        "empty": _empty(data),
        "folds": folds_section(data, inner),
        "constant_features": constant_columns(data),
        "text_words": lengths(data),
        "leaks": leaks_section(data),
    }
    # Ordered by how much they can distort a result: leaks first.
    problems = [line for part in (_leaking, _crossing, _duplicated, _missing, _rare) for line in part(checks)]
    return {**checks, "problems": problems, "fine": _fine(checks)}


def _empty(data: Dataset) -> dict[str, int]:
    """The number of rows without a label and without an input."""
    X: Any = data.X
    if data.kind == "text":
        blank = sum(not text.strip() for text in X)
    else:
        nonzero = np.diff(X.indptr) if is_sparse(X) else np.count_nonzero(X, axis=1)  # values in each row
        blank = int((nonzero == 0).sum())
    return {"rows_without_label": int((~data.Y.any(axis=1)).sum()), "rows_without_input": int(blank)}


def _duplicated(checks: dict[str, Any]) -> list[str]:
    exact, near = checks["duplicates"]["exact"], checks["duplicates"]["near"]
    sentences = []
    if exact["rows_too_many"]:
        sentences.append(
            f"{_count(exact['rows_too_many'], 'row repeats', 'rows repeat')} the input of an earlier one "
            f"({_count(exact['groups'], 'group', 'groups')}; for example, rows {_rows(exact['examples'][0])}); run keeps equal "
            "rows on one side of its splits, except for the official one."
        )
    if exact["contradicting_groups"]:
        clash = exact["contradicting_examples"][0]
        sentences.append(
            f"{_count(exact['contradicting_groups'], 'group has', 'groups have')} equal inputs but different labels "
            f"({exact['contradicting_rows']} rows; for example, rows {_rows(clash['rows'])} differ in "
            f"{_named(clash['labels'])}): no model can be right on all of them."
        )
    if near["pairs"]:
        clashing = f", {near['contradicting_pairs']} of them with different labels" * bool(
            near["contradicting_pairs"]
        )
        sentences.append(
            f"{_count(near['pairs'], 'pair of rows is', 'pairs of rows are')} nearly equal{clashing} "
            f"(for example, rows {_rows(near['examples'][0])})."
        )
    return sentences


def _crossing(checks: dict[str, Any]) -> list[str]:
    across = checks["duplicates"]["across_split"]
    if not across["exact"] + across["near"]:
        return []
    # Of numbered splits, `run` keeps equal rows together; nearly equal ones it does not know.
    equal = f"{across['exact']} are equal and {across['near']} more are" if across["exact"] else ""
    return [
        f"Of {across['test_rows']} test rows ({checks['split']}), {equal or str(across['near']) + ' are'} "
        "nearly equal to a training row, so scores on them are too optimistic."
    ]


def _leaking(checks: dict[str, Any]) -> list[str]:
    sentences = [
        f"Input {hint['feature']!r} {'is' if hint['same'] else 'is nearly'} label {hint['label']!r} "
        f"({'negated, ' * (hint['strength'] < 0)}correlation {abs(hint['strength']):.3f}): will this input be available "
        "before the label is known?"
        for hint in checks["leaks"]["features"][:NAMED]
    ]
    if by := checks["leaks"]["sorted_by"]:
        sentences.append(
            f"The rows are sorted by {_named(by)}, so never split them by position (run does not)."
        )
    return sentences


def _missing(checks: dict[str, Any]) -> list[str]:
    empty, constant = checks["empty"], checks["constant_features"]
    sentences = []
    if empty["rows_without_label"]:
        sentences.append(
            f"{_count(empty['rows_without_label'], 'row has', 'rows have')} no label: this is fine if it means “none of "
            "the labels applies”, and harmful if it means “not labelled yet”."
        )
    if empty["rows_without_input"]:
        sentences.append(
            f"{_count(empty['rows_without_input'], 'row has', 'rows have')} an empty input (no text, or all zeros)."
        )
    if constant:
        sentences.append(
            f"{_count(len(constant), 'feature never changes', 'features never change')}: {_named(constant)}."
        )
    return sentences


def _rare(checks: dict[str, Any]) -> list[str]:
    return [
        f"{_count(len(kind['labels']), 'label', 'labels')} ({_named(kind['labels'])}): {kind['happens']}."
        for kind in checks["folds"]["troubled"]
    ]


def _fine(checks: dict[str, Any]) -> list[str]:
    """The checks that found nothing, in words."""
    duplicates, leaks = checks["duplicates"], checks["leaks"]
    # A check that was not possible (no rows compared, a text without features) is not listed as passed.
    passed = {
        "no equal rows": not duplicates["exact"]["rows_too_many"],
        f"no nearly equal rows among {duplicates['near']['rows_compared']} compared": not duplicates["near"][
            "pairs"
        ]
        and duplicates["near"]["rows_compared"] > 0,
        "no row on both sides of the split": not sum(
            duplicates["across_split"][kind] for kind in ("exact", "near")
        ),
        "every row has a label": not checks["empty"]["rows_without_label"],
        "no empty input": not checks["empty"]["rows_without_input"],
        "no constant feature": not checks["constant_features"] and checks["text_words"] is None,
        "no input that reveals a label": not leaks["features"],
        "rows not sorted by a label": not leaks["sorted_by"],
        "every label in every fold": not checks["folds"]["troubled"],
    }
    return [words for words, holds in passed.items() if holds]


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def _rows(rows: list[int]) -> str:
    return ", ".join(str(row) for row in rows)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
