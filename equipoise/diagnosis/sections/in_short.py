"""The diagnosis in a few sentences: imbalance, rare labels, dependence, faults, and what to try first."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from equipoise.diagnosis.sections.advice import BALANCED
from equipoise.metrics.frequency import HEAD, TAIL

SINGLE_LABEL = (
    "Every row has exactly one label: these are single-label (multiclass) data. A softmax that predicts the most "
    "probable one (argmax) fits them better than a yes or no for each label, which is what is compared here."
)


def in_short(sections: dict[str, Any], single_label: bool = False) -> list[str]:
    """The most important sentences of all sections, the recommendation last, for a reader who stops here."""
    return [
        *([SINGLE_LABEL] if single_label else []),
        _imbalance(sections["numbers"]),
        *_rare(sections["labels"]),
        sections["dependence"]["words"][0],
        _problems(sections["health"]["problems"]),
        _recommendation(sections["advice"], sections["numbers"]["mean_ir"]),
    ]


def _imbalance(numbers: dict[str, Any]) -> str:
    if math.isnan(numbers["max_ir"]):
        return "No label has a single row, so there is nothing to learn."
    return (
        f"The most frequent label has {numbers['max_ir']:,.1f} times the rows of the rarest "
        f"(MeanIR {numbers['mean_ir']:.1f}); {numbers['singletons']:,} of {numbers['labelsets']:,} label combinations occur "
        "only once."
    )


def _rare(labels: list[dict[str, Any]]) -> list[str]:
    """How many labels are rare in absolute numbers and, if none or all are, how the rarest third of these data looks."""
    groups = Counter(label["group"] for label in labels)
    parts = [f"{groups[name]:,} {name}" for name in ("head", "medium", "tail") if groups[name]]
    words = (
        f"Labels by the usual limits (head: at least {HEAD} rows, tail: at most {TAIL}): {', '.join(parts)}"
    )
    rare = sorted(label["rows"] for label in labels if label["third"] == "rare")
    if len(groups) > 1 or not rare:
        return [f"{words}."]
    return [
        f"{words}; relative to these data, the rarest third (of {len(rare):,}) has {rare[0]:,} to {rare[-1]:,} rows."
    ]


def _problems(problems: list[str]) -> str:
    if not problems:
        return "No problem was found in the data."
    return (
        problems[0]
        if len(problems) == 1
        else f"{len(problems)} problems were found; the first: {problems[0]}"
    )


def _recommendation(advice: dict[str, Any], mean_ir: float) -> str:
    others = [name for name in advice["strategies"] if name not in ("none", "scut")]
    if mean_ir <= BALANCED:
        start = "Start with none at tuned thresholds: there is hardly an imbalance to correct"
    else:
        start = "Start with none at tuned thresholds (scut chooses them), which often brings most of the gain"
    return f"{start}; then try {', '.join(others)}." if others else f"{start}."
