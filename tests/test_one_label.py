"""A gain that one label with few test rows makes is said to be one; others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.page.extras import SELECTION
from equipoise.page.render import page_html
from equipoise.report.advice import WON, advise
from equipoise.report.comparison import compare
from equipoise.report.one_label import PER_LABEL, Carrier, carrier, reader
from equipoise.store.store import Store

from .shared.made_rows import made_row

LABELS = ["invoice", "refund", "legal threat"]
TEST_ROWS = [40, 30, 2]


def rows(gains: list[float], test_rows: list[int] | None = None, splits: int = 5) -> list[dict[str, Any]]:
    """Rows of `none` and `pos_weight`, whose labels gain so much in F1 and average precision on every split."""
    rng = np.random.default_rng(3)
    counts = test_rows or TEST_ROWS
    out = []
    for split in range(splits):
        level = np.array([0.6, 0.5, 0.1]) + rng.normal(0, 0.01, 3)
        for strategy, add in {"none": np.zeros(3), "pos_weight": np.array(gains)}.items():
            scores = level + add + rng.normal(0, 0.002, 3)
            mean = float(scores[np.array(counts) > 0].mean())
            per_label = {
                "fixed/n_test": counts,
                "fixed/n_train": [4 * n for n in counts],
                "fixed/average_precision": scores.tolist(),
                "tuned/f1": scores.tolist(),
            }
            metrics = {"scores/map": mean, "tuned/macro_f1": mean, "fixed/macro_f1": mean}
            key = f"{strategy}-{split}"
            out.append(made_row(key, strategy, split, metrics, labels=LABELS, per_label=per_label))
    return out


def stored(folder: Path, listed: list[dict[str, Any]]) -> Store:
    store = Store(folder)
    with store.locked():
        for row in listed:
            store.append(row, None)
    return store


def test_the_label_that_makes_the_gain_is_found() -> None:
    found = carrier(rows([0.01, 0.0, 0.6]), "pos_weight", "map")
    assert found is not None
    assert (found.label, found.test_rows) == ("legal threat", 2.0)
    assert found.share == pytest.approx(0.6 / 0.61, abs=0.02)


@pytest.mark.parametrize(
    ("gains", "counts"),
    [
        ([0.2, 0.2, 0.2], TEST_ROWS),  # all labels gain
        ([0.01, 0.0, 0.6], [40, 30, 25]),  # the label has rows enough
        ([-0.1, -0.1, -0.3], TEST_ROWS),  # a loss
        ([0.2, 0.1, 0.6], [40, 30, 0]),  # a label that is not scored makes no gain
    ],
)
def test_other_gains_are_not_one_label_s(gains: list[float], counts: list[int]) -> None:
    assert carrier(rows(gains, counts), "pos_weight", "tuned_macro_f1") is None


def test_rows_without_labels_or_with_others_are_passed_over() -> None:
    plain = [{k: v for k, v in row.items() if k != "per_label"} for row in rows([0.01, 0.0, 0.6])]
    assert carrier(plain, "pos_weight", "map") is None
    renamed = [
        row | ({"labels": ["a", "b", "c"]} if row["strategy"] == "none" else {})
        for row in rows([0.0, 0.0, 0.6])
    ]
    assert carrier(renamed, "pos_weight", "map") is None
    undefined = rows([0.01, 0.0, 0.6])
    for row in undefined:
        # As F1 is written where nothing was predicted and nothing was right.
        row["per_label"] = row["per_label"] | {"tuned/f1": [0.5, None, 0.9 * (row["strategy"] != "none")]}
    found = carrier(undefined, "pos_weight", "tuned_macro_f1")
    assert found == Carrier("legal threat", 1.0, 2.0)


def test_the_report_cautions_against_it(tmp_path: Path) -> None:
    """In the text, in the JSON and on the page; a report over the same rows without the label's gain says nothing of it."""
    store = stored(tmp_path / "one", rows([0.01, 0.0, 0.6]))
    (said,) = advise(compare(store.rows(SELECTION)), read=reader(store))
    assert said.verdict == WON
    caution = "Most of this gain comes from one label, 'legal threat', which has 2.0 test rows a split"
    assert caution in said.text
    assert said.record()["rests_on"]["label"] == "legal threat"
    out = CliRunner().invoke(app, ["report", "--results", str(tmp_path / "one")])
    assert out.exit_code == 0
    assert caution in " ".join(out.output.split())
    page = page_html(store.rows(SELECTION), store, None, "equipoise report")
    assert "Most of this gain comes from one label" in page
    even = stored(tmp_path / "even", rows([0.2, 0.2, 0.2]))
    (quiet,) = advise(compare(even.rows(SELECTION)), read=reader(even))
    assert quiet.verdict == WON
    assert "one label" not in quiet.text
    assert quiet.record()["rests_on"] is None
    assert not PER_LABEL.without & {"per_label", "labels"}
