"""Which strategies are worth trying, from the measures alone. A guess: only `equipoise run` measures."""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

from equipoise.contracts.dataset import Dataset

GUESS = (
    "This is a guess from the measures of the data alone. Nothing was trained with these strategies; equipoise run does "
    "that, against none, and may well say otherwise."
)
BALANCED = (
    1.5  # MeanIR at and below which Charte et al. 2015 (DOI 10.1016/j.neucom.2014.08.091) call data balanced
)
CONCURRENT = 0.1  # SCUMBLE above which rare and frequent labels share rows too often for resampling (Charte et al. 2019)
FEW_LABELSETS = 0.05  # distinct labelsets per row up to which each has some rows to learn from
MOST_CHAINED = 60  # labels beyond which a chain is long


class Advice(NamedTuple):
    """Strategies by their registered names, and why; `worth` is "try" or "skip"."""

    strategies: tuple[str, ...]
    why: str
    worth: str = "try"


def advice_section(data: Dataset, found: dict[str, Any]) -> dict[str, Any]:
    """The guesses, and a command that measures them; `found` holds the sections before this one."""
    items = [
        Advice(
            ("none", "scut"),
            "the baseline, and thresholds per label: they cost next to nothing and often win most of what balancing wins",
        ),
        *_imbalance(found["numbers"], data),
        *_dependence(found["dependence"], found["numbers"], data.n_labels),
        *_labelsets(found["labelsets"], found["numbers"]),
    ]
    names = list(dict.fromkeys(name for item in items if item.worth == "try" for name in item.strategies))
    return {
        "guess": GUESS,
        "items": [{"strategies": list(i.strategies), "worth": i.worth, "why": i.why} for i in items],
        "strategies": names,
        "command": _command(found["dataset"]["spec"], names),
    }


def _command(spec: str, names: list[str]) -> str:
    options = " ".join(f"--strategy {name}" for name in names)
    return f"equipoise run --dataset {shlex.quote(spec)} --backbone linear {options}"


def _imbalance(numbers: dict[str, Any], data: Dataset) -> list[Advice]:
    mean, clash = numbers["mean_ir"], numbers["scumble"]
    if mean != mean:  # NaN: no label has a row
        return []
    if mean <= BALANCED:
        skip = f"MeanIR {mean:.2f} is at most {BALANCED:g}: there is hardly an imbalance to mend"
        return [Advice(("ml_ros", "pos_weight", "focal"), skip, "skip")]
    weights = Advice(
        ("pos_weight", "class_balanced", "distribution_balanced"),
        f"MeanIR {mean:.1f}: rare labels need weight in the loss; compare at tuned thresholds, for much of what weights "
        "win at .5 is a threshold in disguise",
    )
    return [weights, *_resampling(mean, clash, data)]


def _resampling(mean: float, clash: float, data: Dataset) -> list[Advice]:
    synthetic = ("mlsmote",) if data.kind == "numeric" else ()
    if clash > CONCURRENT:
        return [
            Advice(
                ("remedial+ml_ros",),
                f"SCUMBLE {clash:.3f} is above {CONCURRENT:g}: rare labels mostly stand in rows with frequent ones, so rows are "
                "split before they are cloned",
            ),
            Advice(
                ("ml_ros", *synthetic),
                "the same: cloning a rare label's rows clones the frequent labels too",
                "skip",
            ),
        ]
    return [
        Advice(
            ("ml_ros", *synthetic),
            f"MeanIR {mean:.1f} with SCUMBLE {clash:.3f} (at most {CONCURRENT:g}): rows of rare labels can be multiplied without "
            "many of frequent ones",
        )
    ]


def _dependence(found: dict[str, Any], numbers: dict[str, Any], labels: int) -> list[Advice]:
    verdict = found["verdict"]
    if verdict in ("independent", "explained"):
        return [
            Advice(
                ("classifier_chain", "label_powerset"),
                "nothing of the label dependence is left once the input is known: one classifier per label is enough",
                "skip",
            )
        ]
    if verdict == "unknown" or labels < 2:
        return []
    chain = ("ensemble_chains",) if labels <= MOST_CHAINED else ("rakel_d",)
    gain = (
        "the other labels' predictions save log-loss, label by label"
        if verdict == "predictions"
        else "labels hang together beyond the input: look at subset_accuracy and rcr@10, not at F1 alone"
    )
    few = numbers["labelsets"] <= FEW_LABELSETS * numbers["rows"]
    return [Advice((*chain, *(("label_powerset",) if few else ())), gain)]


def _labelsets(sets: dict[str, Any], numbers: dict[str, Any]) -> list[Advice]:
    if sets["distinct"] <= FEW_LABELSETS * numbers["rows"] or numbers["labels"] < 2:
        return []
    why = (
        f"{sets['distinct']} labelsets in {numbers['rows']} rows, {sets['singletons']} of them once: most labelsets have "
        "next to no rows to learn from or to clone"
    )
    return [Advice(("label_powerset", "lp_ros"), why, "skip")]
