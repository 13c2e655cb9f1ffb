"""Describes from which others a strategy cannot differ, for `equipoise info`."""

from __future__ import annotations

from typing import Any

from equipoise.catalog.equalities import OFF, declared, variants
from equipoise.catalog.registry import registry
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.equality import Equality
from equipoise.contracts.strategy import Strategy
from equipoise.report.equalities import enumerated

#: Numbers of labels that are asked about, with what is said if something holds for this number only.
LABELS = {7: "", 6: "6 labels", 1: "one label"}
WORDS = {"map": "in mAP", "fixed": "at .5", "tuned": "with tuned thresholds", "own": "by its own decision"}


def equal_strategies(strategy: Strategy) -> list[dict[str, Any]]:
    """One record per reason, each for the first settings and number of labels with it, with the backbones it holds on.

    Keys: strategy (with the settings that it needs), same_as (the other strategy), where (in words), why, labels (in words, ""
    for any number), backbones ([] for all).
    """
    backbones = _backbones("loss" in strategy.stages)
    # The fewest settings first, since the first is named.
    known = sorted(variants(strategy), key=lambda variant: len(variant.pinned))
    found: dict[tuple[str, str], dict[str, Any]] = {}
    # Many labels first, so that a reason that holds for any number is kept without a condition.
    for n_labels, words in LABELS.items():
        for backbone in backbones:
            for variant in known:
                for equality in _of(variant, backbone, n_labels):
                    record = _record(variant, equality, words)
                    kept = found.setdefault((equality.why, record["where"]), record)
                    same = (kept["strategy"], kept["labels"]) == (record["strategy"], record["labels"])
                    if same and backbone.name not in kept["backbones"]:
                        kept["backbones"].append(backbone.name)
    for record in found.values():
        if len(record["backbones"]) == len(backbones):
            record["backbones"] = []
    return list(found.values())


def in_words(record: dict[str, Any]) -> str:
    """ "platt equals none in mAP and with tuned thresholds: a rising line …"."""
    conditions = [record["labels"] and f"with {record['labels']}"]
    conditions.append(record["backbones"] and f"on {', '.join(record['backbones'])}")
    told = "".join(f", {condition}" for condition in conditions if condition)
    return f"{record['strategy']} equals {record['same_as']} {record['where']}{told}: {record['why']}"


def _record(variant: Strategy, equality: Equality, labels: str) -> dict[str, Any]:
    return {
        "strategy": variant.spec,
        "same_as": equality.strategy,
        "where": "in everything" if equality.everything else _where(equality),
        "why": equality.why,
        "labels": labels,
        "backbones": [],
    }


def _where(equality: Equality) -> str:
    places = [
        WORDS[ours] if ours == theirs else f"{WORDS[ours]}, which {equality.strategy} makes {WORDS[theirs]}"
        for ours, theirs in equality.columns.items()
    ]
    return enumerated(places)


def _of(variant: Strategy, backbone: Backbone, n_labels: int) -> list[Equality]:
    """What a variant declares; one that is switched off is a poor example of anything else."""
    equalities = declared(variant, backbone, n_labels)
    off = [equality for equality in equalities if equality.why == OFF]
    return off or equalities


def _backbones(gradient: bool) -> list[Backbone]:
    """The backbones that work, without estimators if a strategy brings a loss."""
    entries = [entry for entry in registry("backbone").entries() if not entry.error]
    return [b for b in (entry.obj() for entry in entries) if b.gradient or not gradient]
