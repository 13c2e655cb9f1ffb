"""Finds the rows of a suite in a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import named_dataset
from equipoise.catalog.strategies import expand, get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.core.errors import EquipoiseError
from equipoise.sweep.suite import load_suite


def of_suite(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows of the cells that a suite plans, whichever command ran them."""
    asked = []
    for block in load_suite(name).blocks:
        # As rows spell them: a spec may be written in several ways.
        strategies = {get_strategy(s).spec for spec in block.strategies for s in expand(spec)}
        datasets = {named_dataset(name) for name in block.datasets}
        backbones = {name for spec in block.backbones for name in _names(get_backbone(spec))}
        asked.append((block, datasets, backbones, strategies, dataclasses.asdict(block.settings)))
    return [
        r
        for r in rows
        if any(
            (r["dataset"] in datasets and r["strategy"] in strategies)
            and (r["backbone"] in backbones or r.get("backbone_identity") in backbones)
            and (r["seed"] == b.seed and r["split"] in b.outer_splits and r["settings"] == settings)
            for b, datasets, backbones, strategies, settings in asked
        )
    ]


def _names(backbone: Backbone) -> set[str]:
    """The names under which rows may know a backbone: its spec and, where its files are still there, its identity."""
    try:
        return {backbone.spec, backbone.identity}
    except EquipoiseError:
        return {backbone.spec}
