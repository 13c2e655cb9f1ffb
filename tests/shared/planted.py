"""Rows with planted differences for tests of verdicts, and the advice on them."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from equipoise.core.arrays import Floats
from equipoise.report.advice import Advice, advise
from equipoise.report.comparison import compare

Rows = list[dict[str, Any]]
COLUMNS = ("scores/map", "tuned/macro_f1", "fixed/macro_f1")


def rows_of(
    deltas: Floats,
    base: Any = 0.5,
    backbone: str = "linear",
    splits: list[int] | None = None,
    seed: int = 0,
    **settings: int,
) -> Rows:
    """Rows of `none` and s0, s1, … from differences (strategies, 3 metrics, splits)."""
    splits = splits or list(range(deltas.shape[2]))
    levels = np.broadcast_to(base, deltas.shape[1:])
    return [
        {
            "status": "ok",
            "dataset": "d",
            "backbone": backbone,
            "strategy": "none" if i < 0 else f"s{i}",
            "split": split,
            "seed": seed,
            "settings": settings,
            "metrics": dict(zip(COLUMNS, (levels[:, j] + (deltas[i, :, j] if i >= 0 else 0)), strict=True)),
            "cost": {"seconds_total": 10.0},
        }
        for i in range(-1, len(deltas))
        for j, split in enumerate(splits)
    ]


def noise(*shape: int, sd: float = 0.003, seed: int = 0) -> Floats:
    """Noise with mean 0 over splits."""
    drawn = np.random.default_rng(seed).normal(0, sd, shape)
    return np.asarray(drawn - drawn.mean(axis=-1, keepdims=True), dtype=np.float64)


def advice(rows: Rows) -> Advice:
    (found,) = advise(compare(rows))
    return found


def only(rows: Rows, strategy: str) -> Rows:
    """The rows of a strategy and of the baseline."""
    return [row for row in rows if row["strategy"] in ("none", strategy)]


def words(found: Advice) -> list[str]:
    return shlex.split(found.command)
