"""Worlds whose knobs are plain unless a test sets them."""

from __future__ import annotations

from typing import Any

from equipoise.datasets._controlled import ControlledWorld

PLAIN = {"labels": 6, "top": 0.4, "imbalance": 8.0, "dependence": 0.5, "noise": 0.2, "overlap": 0.3}


def world(**knobs: Any) -> ControlledWorld:
    return ControlledWorld("w", **{**PLAIN, "seed": 0, **knobs})
