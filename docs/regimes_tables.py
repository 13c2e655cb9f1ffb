"""The tables of docs/regimes.md about the worlds; make_regimes.py puts them on the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from regimes_rows import corners, kinds, strategies

from equipoise.worlds import effects
from equipoise.worlds.choice import GAIN, NOTHING, Choice, choose
from equipoise.worlds.effects import Estimate
from equipoise.worlds.world import RULES, WORDS, Worlds

#: Factors that change by a multiple from level to level; 5 and 20 labels are one step of four.
LOGARITHMIC = {"imbalance": 4.0, "rows": 4.0, "labels": 4.0}
TERMS = ("imbalance", "rows", "labels", "dependence", "noise")
#: Strategies that use the dependence of labels.
TOGETHER = ("classifier_chain", "label_powerset")


def heat(worlds: Worlds, rule: str) -> dict[str, list[Estimate]]:
    """Strategy → its mean difference in each corner, with Holm's correction over the whole panel."""
    cells = {
        (name, corner): effects.mean(
            worlds.where(rows=corner[0], imbalance=corner[1]).differences(name, rule)
        )
        for name in strategies(worlds)
        for corner in corners(worlds)
    }
    adjusted = effects.holm({f"{n} {c}": one for (n, c), one in cells.items()})
    return {name: [adjusted[f"{name} {corner}"] for corner in corners(worlds)] for name in strategies(worlds)}


def responses(worlds: Worlds, rule: str) -> dict[str, effects.Response]:
    """Strategy → the model of its difference, with the interaction of imbalance and rows."""
    found = {}
    for name in strategies(worlds):
        here = Worlds([w for w in worlds.worlds if name in w.scores])
        # A family that was run in a part of the worlds only has no place in a table over all of them.
        if 4 * len(here.worlds) < 3 * len(worlds.worlds):
            continue
        columns = effects.centred(here, TERMS, LOGARITHMIC)
        if {"imbalance", "rows"} <= set(columns):
            columns["imbalance × rows"] = columns["imbalance"] * columns["rows"]
        values = here.differences(name, rule)
        if np.any(values):
            found[name] = effects.fit(values, columns)
    return found


def corners_table(worlds: Worlds) -> str:
    """What `none` and the exact posterior reach in each corner."""
    head = [
        "rows",
        "imbalance",
        "worlds",
        "labels scored",
        "none mAP",
        "best mAP",
        "none at ½",
        "none tuned",
        "best macro-F1",
    ]
    lines = [head]
    for rows, ratio in corners(worlds):
        here = worlds.where(rows=rows, imbalance=ratio).worlds
        base = np.mean([w.scores["none"] for w in here], axis=0)
        best = np.mean([w.best for w in here], axis=0)  # type: ignore[arg-type]
        scored = np.mean([w.labels_scored / w.factors["labels"] for w in here])
        numbers = (base[0], best[0], base[2], base[1], best[1])
        lines.append(
            [
                f"{rows:g}",
                f"{ratio:g}",
                str(len(here)),
                f"{100 * scored:.0f} %",
                *(f"{v:.3f}"[1:] for v in numbers),
            ]
        )
    return table(lines)


def effects_table(worlds: Worlds, rule: str) -> str:
    """The coefficients of every strategy; bold where significant after Holm's correction for the whole table."""
    fitted = responses(worlds, rule)
    adjusted = effects.holm({f"{n}|{t}": e for n, r in fitted.items() for t, e in r.terms.items()})
    heads = {"mean": "mean", "imbalance": "imbalance × 4", "rows": "rows × 4", "labels": "labels × 4"}
    heads |= {
        "dependence": "dependence 0 → .8",
        "noise": "noise 0 → .3",
        "imbalance × rows": "both × 4, beyond the sum",
    }
    lines = [[f"`{name}`", *(signed(adjusted.get(f"{name}|{term}")) for term in heads)] for name in fitted]
    return table([["strategy", *heads.values()], *lines])


def overall_table(worlds: Worlds) -> str:
    """The mean over all worlds of strategies that were run in all; Holm's correction is over the first three columns."""
    cells = {
        f"{name}|{rule}": effects.mean(worlds.differences(name, rule))
        for name in worlds.complete
        for rule in RULES
    }
    adjusted = effects.holm(cells)
    lines = [["strategy", *WORDS, "untuned, against `none` tuned"]]
    for name in worlds.complete:
        against = effects.mean(worlds.differences(name, "untuned", "tuned"))
        numbers = [signed(adjusted[f"{name}|{rule}"]) for rule in RULES]
        lines.append([f"`{name}`", *numbers, signed(against)])
    return table(lines)


def dependence_table(worlds: Worlds) -> str:
    """What strategies that use the dependence of labels gain without and with dependence, in the worlds where all were run."""
    names = [name for name in strategies(worlds) if name in TOGETHER]
    here = Worlds([w for w in worlds.worlds if all(name in w.scores for name in names)])
    lines = [["strategy", "dependence", "worlds", *WORDS]]
    for name in names:
        for level in here.levels("dependence"):
            some = here.where(dependence=level)
            cells = [signed(effects.mean(some.differences(name, rule))) for rule in RULES]
            lines.append([f"`{name}`", f"{level:g}", str(len(some.worlds)), *cells])
    return table(lines)


def choices(worlds: Worlds, rule: str, against: str = "") -> str:
    """The choice of a strategy in each kind of world: measured in the half of the worlds that did not choose."""
    head = [
        "worlds",
        "n",
        "best mean",
        "its mean there",
        "gain where it was not chosen",
        "share of the gap",
        "verdict",
    ]
    lines = [head]
    for name, kind in kinds(worlds):
        one = choose(kind, _candidates(kind), rule, against)
        if not one.chosen:  # too few worlds for two halves
            continue
        lines.append(
            [
                name,
                str(one.worlds),
                f"`{one.strategy}`",
                number(one.apparent),
                _interval(one.gain),
                _share(one.share),
                _verdict(one),
            ]
        )
    return table(lines)


def _candidates(kind: Worlds) -> list[str]:
    """The strategies to choose from: those of every kind of worlds."""
    return [name for name in kind.complete if name not in TOGETHER]


def named(worlds: Worlds) -> list[str]:
    """The kinds of worlds in which a strategy can be chosen in one half and measured in the other."""
    return [name for name, kind in kinds(worlds) if choose(kind, _candidates(kind), "map").chosen]


def thresholds(worlds: Worlds) -> dict[str, list[float]]:
    """Step → macro-F1 in each kind of world, from `none` at ½ up to the best possible."""
    steps: dict[str, list[float]] = {}
    for _, kind in kinds(worlds):
        base = [w.scores["none"] for w in kind.worlds]
        tuned = float(np.mean([s.tuned for s in base]))
        untuned = float(np.mean([s.untuned for s in base]))
        half, best = (float(np.mean([getattr(w.best, f) for w in kind.worlds])) for f in ("half", "macro_f1"))
        at_half = choose(kind, _candidates(kind), "untuned").gain.value
        further = choose(kind, _candidates(kind), "tuned").gain.value
        if not math.isfinite(further):
            continue
        for step, value in (
            ("none at ½", untuned),
            ("a chosen strategy at ½", untuned + at_half),
            ("none, tuned thresholds", tuned),
            ("a chosen strategy, tuned thresholds", tuned + further),
            ("the exact posterior", best),
        ):
            steps.setdefault(step, []).append(value)
        steps.setdefault("the exact posterior at ½", []).append(half)
    return steps


def thresholds_table(worlds: Worlds) -> str:
    """The steps of `thresholds`, and what of the best strategy's gain at ½ tuned thresholds give to `none`."""
    steps, ratios = thresholds(worlds), tuning_shares(worlds)
    lines = [["worlds", *steps, "tuning alone, as a share of the gain at ½"]]
    for i, name in enumerate(named(worlds)):
        lines.append([name, *(f"{v[i]:.3f}"[1:] for v in steps.values()), percent_interval(ratios[name])])
    return table(lines)


def tuning_shares(worlds: Worlds) -> dict[str, Estimate]:
    """Kind of worlds → what tuned thresholds give to `none`, divided by what a chosen strategy gains at ½."""
    found = {}
    for name, kind in kinds(worlds):
        gains = choose(kind, _candidates(kind), "untuned").gains
        here = [w.scores["none"] for w in kind.worlds if w.dataset in gains]
        if gains:
            tuning = np.array([one.tuned - one.untuned for one in here])
            at_half = np.array([gains[w.dataset] for w in kind.worlds if w.dataset in gains])
            found[name] = effects.ratio(tuning, at_half)
    return found


def table(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first line is the head, and all columns but the first are to the right."""
    head, *body = lines
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body))


def number(value: float) -> str:
    """A difference with its sign and three digits."""
    if not math.isfinite(value):
        return "–"
    return f"{value:+.3f}".replace("0.", ".", 1).replace("-", "−")


def signed(one: Estimate | None) -> str:
    """An estimate with half the width of its interval; bold where significant after Holm's correction."""
    if one is None:
        return "–"
    text = f"{number(one.value)} ± {(one.high - one.low) / 2:.3f}".replace("± 0.", "± .")
    return f"**{text}**" if one.p_holm < 0.05 else text


def _interval(one: Estimate) -> str:
    return f"{number(one.value)} ({number(one.low)} to {number(one.high)})"


def percent_interval(one: Estimate) -> str:
    """A share with its interval, in percent."""
    return f"{100 * one.value:.0f} % ({100 * one.low:.0f} to {100 * one.high:.0f})".replace("-", "−")


def _share(share: float) -> str:
    # A loss closes no part of a gap.
    return f"{100 * share:.0f} %" if share >= 0.005 else "–"


def _verdict(one: Choice) -> str:
    return {GAIN: "a gain", NOTHING: "nothing gains .01"}.get(one.verdict, "open")
