"""The official split in reports and pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from equipoise.plots import comparison
from equipoise.report.comparison import compare
from equipoise.report.export import render
from equipoise.report.words.conclusions import conclusions
from equipoise.tracking.run_fields import run_name, tags

from .shared.official_rows import row

pytestmark = pytest.mark.usefixtures("without_mlflow")


# --- the report


def printed(rows: list[dict[str, Any]]) -> str:
    console = Console(width=100, file=io.StringIO(), record=True, color_system=None)
    render(rows, console)
    return " ".join(console.export_text().split())


def test_seeds_of_the_official_split_give_a_mean_and_no_interval() -> None:
    """Five seeds that agree to the third digit would be significant if they were splits; seeds must give no interval."""
    rows = [row("none", "official", 0.5 + seed / 1000, seed) for seed in range(5)]
    rows += [row("good", "official", 0.6 + (seed % 2) / 1000, seed) for seed in range(5)]
    (one,) = compare(rows)
    found = one.ranked[0].deltas["tuned_macro_f1"]
    assert found.mean == pytest.approx(0.0984)
    assert found.pairs == 5
    assert np.isnan([found.low, found.high, found.p, found.p_holm]).all()
    said = " ".join(conclusions(one))
    assert (
        "On the official split, averaged over 5 seeds, good differs from the baseline by +.098 macro-F1"
        in said
    )
    assert "It is one split" in said
    assert "beyond what chance explains" not in said
    assert "the official split alone, so no intervals; means of 5 seeds" in printed(rows)


def test_none_that_leads_on_the_official_split_is_said_to() -> None:
    (one,) = compare([row("none", "official", 0.6), row("a", "official", 0.5), row("b", "official", 0.55)])
    assert "On the official split the baseline has the highest mean; the next is b with −.050" in " ".join(
        conclusions(one)
    )


def test_the_same_predictions_are_called_the_same() -> None:
    assert "same same" in printed([row("none", "official", 0.6), row("a", "official", 0.6)])


def test_official_and_numbered_rows_are_two_comparisons() -> None:
    numbered = [row(name, split, 0.5 + split / 10) for name in ("none", "a") for split in range(3)]
    official = [row(name, "official", 0.9) for name in ("none", "a")]
    one, two = compare([*numbered, *official])
    assert (one.units, one.variant, one.official) == ([(0, 0), (0, 1), (0, 2)], "", False)
    assert (two.units, two.variant, two.official) == ([(0, "official")], "official split", True)
    assert one.ranked[0].means["tuned_macro_f1"] == pytest.approx(0.6)


def test_pictures_and_mlflow_name_it() -> None:
    rows = [row(name, split, 0.5) for name in ("none", "a") for split in (0, 1, "official")]
    flat = pd.DataFrame([{**r, **r["metrics"]} for r in rows])
    titles = [axes.get_title(loc="left") for axes in comparison(flat).axes]
    assert titles == ["letters · linear", "letters, official split · linear"]
    assert run_name(rows[2]) == "none · linear #official"
    assert tags(rows[2])["split"] == "official"
