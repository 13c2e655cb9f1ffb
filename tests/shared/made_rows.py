"""The fields that every made-up row of a finished cell has, whatever a test makes it for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def made_row(
    key: str, strategy: str, split: int | str, metrics: Mapping[str, float], **more: Any
) -> dict[str, Any]:
    """A row with these metrics; `more` adds fields, or replaces the usual ones."""
    row = {
        "key": key,
        "status": "ok",
        "dataset": "letters",
        "dataset_sha256": "ab" * 32,
        "generated": False,
        "backbone": "linear",
        "strategy": strategy,
        "split": split,
        "seed": 0,
        "device": "cpu",
        "settings": {"trials": 4},
        "metrics": dict(metrics),
        "cost": {"seconds_total": 12.0},
    }
    return row | more
