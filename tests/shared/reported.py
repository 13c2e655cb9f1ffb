"""Rows of a made-up sweep, and the report of them."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from equipoise.report.comparison import compare
from equipoise.report.export import render
from equipoise.report.words.conclusions import conclusions

from .made_rows import made_row

BASE = (0.60, 0.63, 0.58, 0.61, 0.59)

NOISE = (0.004, -0.006, 0.002, 0.005, -0.005)  # of the five splits, sums to zero


def make_row(strategy: str, split: int, fixed: float, tuned: float, **more: Any) -> dict[str, Any]:
    metrics = {
        "fixed/macro_f1": fixed,
        "tuned/macro_f1": tuned,
        "own/macro_f1": fixed,
        "tuned/micro_f1": 0.7,
        "scores/map": 0.66,
        "tuned/rcr_at_10": 0.25,
        "tuned/rcr_rows_at_10": 20.0,
    }
    return made_row(f"{strategy}-{split}", strategy, split, metrics) | more


def sweep(gains: dict[str, tuple[float, float]], splits: int = 5, swing: float = 1.0) -> list[dict[str, Any]]:
    """Rows of `none`, and of strategies with the given mean gains over it (at threshold .5 and tuned)."""
    rows = [make_row("none", split, BASE[split], BASE[split] + 0.05) for split in range(splits)]
    for strategy, (fixed, tuned) in gains.items():
        for split in range(splits):
            noise = swing * NOISE[split]
            # The tuned scores vary by themselves: otherwise what tuning changes would have no variance.
            other = swing * NOISE[(split + 1) % 5]
            at_half, best = BASE[split] + fixed + noise, BASE[split] + 0.05 + tuned + other
            rows.append(make_row(strategy, split, at_half, best))
    return rows


def printed(rows: list[dict[str, Any]], width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None)
    render(rows, console)
    return console.export_text()


def said(rows: list[dict[str, Any]]) -> str:
    (one,) = compare(rows)
    return " ".join(conclusions(one))
