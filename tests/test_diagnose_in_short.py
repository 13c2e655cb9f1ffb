"""The sentences at the top of a diagnosis: the recommendation is among them, and rare is also relative to the data."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equipoise
from equipoise import measures
from equipoise.diagnosis.sections.in_short import in_short
from equipoise.diagnosis.sections.numbers import thirds


def test_the_recommendation_stands_at_the_top_of_text_and_page() -> None:
    diagnosis = equipoise.diagnose("design-emails", rows=300)
    sentence = diagnosis.data["in_short"][-1]
    assert sentence.startswith("Start with none at tuned thresholds (scut chooses them)")
    assert "pos_weight" in sentence
    text, page = str(diagnosis), diagnosis.to_html()
    assert text.index("In short") < text.index("Start with none") < text.index("cardinality")
    assert page.index("In short") < page.index("Start with none") < page.index("The numbers")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([900, 500, 400, 300, 60, 50], ["frequent", "frequent", "middle", "middle", "rare", "rare"]),
        ([5, 40, 7], ["rare", "frequent", "middle"]),
        ([8, 8, 8], ["frequent", "frequent", "frequent"]),
        ([3], ["frequent"]),
    ],
)
def test_thirds_by_hand(counts: list[int], expected: list[str]) -> None:
    assert thirds(np.array(counts)) == expected


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_thirds_follow_the_order_of_the_counts(counts: list[int]) -> None:
    order = {"frequent": 2, "middle": 1, "rare": 0}
    ranks = [order[name] for name in thirds(np.array(counts))]
    for n, rank in zip(counts, ranks, strict=True):
        assert all(other <= rank for m, other in zip(counts, ranks, strict=True) if m <= n)
    assert Counter(ranks)[0] <= len(counts) / 3


def test_where_all_labels_are_frequent_the_rarest_third_is_told() -> None:
    assert "relative to these data, the rarest third (of 1) has 120 to 120 rows" in sentences([900, 400, 120])
    assert "relative" not in sentences([900, 400, 12])


def test_one_problem_is_told_whole_and_many_are_counted() -> None:
    assert "2 problems were found; the first: b." in sentences([90, 80, 70], problems=["b.", "c."])
    assert " b." in sentences([90, 80, 70], problems=["b."])
    assert "No problem was found in the data." in sentences([90, 80, 70])


def sentences(counts: list[int], problems: list[str] | None = None) -> str:
    """The sentences for labels of these frequencies."""
    groups = ["head" if n >= 35 else "medium" if n > 8 else "tail" for n in counts]
    sections: dict[str, Any] = {
        "numbers": {"max_ir": 3.0, "mean_ir": 2.0, "singletons": 1, "labelsets": 4},
        "labels": [
            {"rows": n, "group": group, "third": third}
            for n, group, third in zip(counts, groups, thirds(np.array(counts)), strict=True)
        ],
        "dependence": {"words": ["Labels depend on each other."]},
        "health": {"problems": problems or []},
        "advice": {"strategies": ["none", "scut", "ml_ros"]},
    }
    return " ".join(in_short(sections))


def test_rounding_is_no_scumble() -> None:
    # Three labels of equal frequency in one row: the true SCUMBLE of every row is 0, the logarithms give 1e-16.
    Y = np.tile(np.eye(3, dtype=bool), (7, 1)) | (np.arange(21) % 7 == 0)[:, None]
    assert measures.scumble(Y) == 0.0
    assert math.isnan(measures.scumble_cv(Y))


def test_the_smallest_real_scumble_is_kept() -> None:
    Y = np.zeros((2001, 2), dtype=bool)
    Y[:1001, 0], Y[1000:, 1] = True, True
    Y[0, 1] = True  # 1001 and 1002 rows; two rows have both labels
    assert 1e-8 < measures.scumble_rows(Y).max() < 1e-6
