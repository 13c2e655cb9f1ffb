"""Suggests strategies that are worth trying, from the measures of the data alone. Only `equipoise run` can confirm it."""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

from equipoise.contracts.dataset import Dataset
from equipoise.resampling.decoupling import mixed, separable

GUESS = (
    "This is a guess from the measures of the data alone. No model was trained with these strategies; equipoise run trains "
    "and compares them with the baseline, and its result may well differ."
)
#: Charte et al. 2015 (DOI 10.1016/j.neucom.2014.08.091) call data balanced up to this MeanIR.
BALANCED = 1.5
#: Above this SCUMBLE rare and frequent labels share rows too often for plain resampling (Charte et al. 2019).
CONCURRENT = 0.1
# Distinct labelsets per row; up to this value a labelset has 20 rows on average to learn from.
FEW_LABELSETS = 0.05
#: Strategies that act on labels that occur together, which those of single-label data never do.
RELATIONS = frozenset(
    {"classifier_chain", "ensemble_chains", "rakel_d", "label_powerset", "lp_ros", "remedial+ml_ros"}
)
MOST_CHAINED = 60  # labels; with more, a chain of classifiers is considered too long


class Advice(NamedTuple):
    """Names of strategies, whether they are worth it ("try" or "skip"), and the reason."""

    strategies: tuple[str, ...]
    why: str
    worth: str = "try"


def advice_section(data: Dataset, sections: dict[str, Any]) -> dict[str, Any]:
    """The suggestions, and the command that measures them; `sections` holds the preceding sections."""
    items = [
        Advice(
            ("none", "scut"),
            "the baseline and per-label thresholds, which cost next to nothing and often bring most of the gain of balancing",
        ),
        *_imbalance(sections["numbers"], data),
        *_dependence(sections["dependence"], sections["numbers"], data.n_labels),
        *_labelsets(sections["labelsets"], sections["numbers"]),
    ]
    if data.single_label:
        items = [*(item for item in items if not RELATIONS & set(item.strategies)), _single_label()]
    # Several items may suggest the same strategy; the command names it once.
    names = list(dict.fromkeys(name for item in items if item.worth == "try" for name in item.strategies))
    return {
        "guess": GUESS,
        "items": [{"strategies": list(i.strategies), "worth": i.worth, "why": i.why} for i in items],
        "strategies": names,
        "command": _command(sections["dataset"]["spec"], names),
    }


def _command(spec: str, names: list[str]) -> str:
    options = " ".join(f"--strategy {name}" for name in names)
    return f"equipoise run --dataset {shlex.quote(spec)} --backbone linear {options}"


def _single_label() -> Advice:
    return Advice(
        tuple(sorted(RELATIONS)),
        "every row has exactly one label, so no labels occur together for these strategies to act on",
        "skip",
    )


def _imbalance(numbers: dict[str, Any], data: Dataset) -> list[Advice]:
    mean, scumble = numbers["mean_ir"], numbers["scumble"]
    if mean != mean:  # NaN: no label has a row
        return []
    if mean <= BALANCED:
        skip = f"MeanIR {mean:.2f} is at most {BALANCED:g}, so there is hardly an imbalance to correct"
        return [Advice(("ml_ros", "pos_weight", "focal"), skip, "skip")]
    weights = Advice(
        ("pos_weight", "class_balanced", "distribution_balanced"),
        f"MeanIR is {mean:.1f}, so rare labels need more weight in the loss; compare at tuned thresholds, because much of "
        "the gain of weights at the threshold .5 can be had by tuning thresholds alone",
    )
    return [weights, *_resampling(mean, scumble, data)]


def _resampling(mean: float, scumble: float, data: Dataset) -> list[Advice]:
    synthetic = ("mlsmote",) if data.kind == "numeric" else ()
    if scumble > CONCURRENT:
        return [
            _splitting(scumble, data),
            Advice(
                ("ml_ros", *synthetic),
                "for the same reason: cloning the rows of a rare label clones frequent labels as well",
                "skip",
            ),
        ]
    return [
        Advice(
            ("ml_ros", *synthetic),
            f"MeanIR is {mean:.1f} and SCUMBLE {scumble:.3f} (at most {CONCURRENT:g}), so rows of rare labels can be cloned "
            "without cloning many frequent labels",
        )
    ]


def _splitting(scumble: float, data: Dataset) -> Advice:
    """Whether rows are to be split before they are cloned: not where a split leaves rows without any label."""
    shared = (
        f"SCUMBLE {scumble:.3f} is above {CONCURRENT:g}: rare labels mostly share rows with frequent ones"
    )
    split = len(mixed(data.Y))
    bare = split - len(separable(data.Y))
    if not bare:
        return Advice(("remedial+ml_ros",), f"{shared}, so rows should be split before they are cloned")
    return Advice(
        ("remedial+ml_ros",),
        f"{shared}, but {bare} of the {split} rows that REMEDIAL splits would leave a row without any label",
        "skip",
    )


def _dependence(dependence: dict[str, Any], numbers: dict[str, Any], labels: int) -> list[Advice]:
    verdict = dependence["verdict"]
    if verdict in ("independent", "explained"):
        return [
            Advice(
                ("classifier_chain", "label_powerset"),
                "the labels do not depend on each other once the input is known: one classifier per label is enough",
                "skip",
            )
        ]
    if verdict == "unknown" or labels < 2:
        return []
    # A chain of many classifiers is long, so many labels are split into small groups instead.
    chain = ("ensemble_chains",) if labels <= MOST_CHAINED else ("rakel_d",)
    gain = (
        "the predictions of the other labels reduce the log-loss of each label"
        if verdict == "predictions"
        else "labels depend on each other beyond the input, so look at subset_accuracy and rcr@10, not at F1 alone"
    )
    few = numbers["labelsets"] <= FEW_LABELSETS * numbers["rows"]
    return [Advice((*chain, *(("label_powerset",) if few else ())), gain)]


def _labelsets(sets: dict[str, Any], numbers: dict[str, Any]) -> list[Advice]:
    if sets["distinct"] <= FEW_LABELSETS * numbers["rows"] or numbers["labels"] < 2:
        return []
    why = (
        f"there are {sets['distinct']} labelsets in {numbers['rows']} rows, {sets['singletons']} of them in one row only, "
        "so most labelsets have hardly any rows to learn from or to clone"
    )
    return [Advice(("label_powerset", "lp_ros"), why, "skip")]
