"""Where the budget or a range may have decided: ends of ranges, and the sentence the report prints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equipoise.contracts.hyperparameters import Tunable
from equipoise.engine.held_out import LOOKS, at_look
from equipoise.experiment.budget import edges, warning

RANGES = {
    "lr": Tunable(1e-2, 1e-3, 1e-1, log=True),
    "C": Tunable(10.0, 0.1, 1000.0, log=True),
    "dropout": Tunable(0.0, 0.0, 0.5),
    "ways": Tunable(False, choices=(False, True)),
    "k": Tunable(3, 2, 12),
}


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"lr": 1e-2, "C": 10.0, "dropout": 0.2, "ways": True, "k": 5}, []),
        ({"lr": 0.09, "C": 0.11}, ["lr (high)", "C (low)"]),
        ({"lr": 1e-3, "k": 12, "ways": False}, ["lr (low)", "k (high)"]),
        ({"dropout": 0.0}, []),  # the default itself lies there: a natural end
        ({"dropout": 0.49}, ["dropout (high)"]),
    ],
)
def test_ends_of_ranges(params: dict[str, Any], found: list[str]) -> None:
    assert edges(RANGES, params) == found


def rows(settled: list[float], ends: list[list[str]]) -> list[dict[str, Any]]:
    return [
        {"settled": s, "edges": e, "params": {"lr": 0.1, "C": 1.0}}
        for s, e in zip(settled, ends, strict=True)
    ]


def test_a_comfortable_budget_is_not_spoken_of() -> None:
    assert warning(rows([0.5, 0.75, 0.25, 1.0], [[], ["lr (high)"], [], []])) == ""
    assert warning([]) == ""
    assert warning([{"params": {"lr": 0.1}}] * 5) == "", "rows without a record"
    assert warning(rows([1.0, 1.0], [["C (low)"], ["C (low)"]])) == "", "two rows tell nothing"


def test_a_tight_one_is() -> None:
    said = warning(rows([1.0, 0.9, 1.0, 0.5], [["lr (high)"], ["lr (high)"], ["lr (high)", "C (low)"], []]))
    assert said.startswith("The budget or a range may bind: ")
    assert "last quarter of the steps in 3 of 4 cells" in said
    assert "lr (high) lies at the end of its range in 3 of 4" in said
    assert "C" not in said


@pytest.mark.parametrize("steps", [4, 5, 6, 7, 9, 990, 1000])
def test_a_look_is_late_only_in_the_last_quarter(steps: int) -> None:
    """Looks come after whole steps, so the third one of 990 steps lies at .751, and is not late."""
    done = np.arange(1, steps + 1)
    looks = done[at_look(done, np.full(steps, steps))] / steps
    assert len(looks) == LOOKS
    assert warning(rows([looks[2]] * 4, [[]] * 4)) == ""
    assert "in 4 of 4 cells" in warning(rows([looks[3]] * 4, [[]] * 4))
