"""Put the rows of results/published/regimes-2026-11 into docs/regimes.md, and draw its pictures.

    python docs/make_regimes.py                 # from what is published
    python docs/make_regimes.py --worlds STORE  # first compute anew what is known of the worlds (minutes)

docs/regimes-worlds.csv holds the best possible scores of the worlds on their test rows, and measures of their labels.
"""

from __future__ import annotations

import csv
import itertools
import math
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise import measures
from equipoise.catalog.datasets import load_dataset
from equipoise.publishing.folder import read_folder
from equipoise.store.store import Store
from equipoise.worlds import effects, pictures
from equipoise.worlds.best import best_of, factors_of
from equipoise.worlds.choice import GAIN, NOTHING, Choice, choose
from equipoise.worlds.effects import Estimate
from equipoise.worlds.world import RULES, WORDS, Best, Worlds, worlds_of

HERE = Path(__file__).parent
PAGE, KNOWN, IMAGES = HERE / "regimes.md", HERE / "regimes-worlds.csv", HERE / "images"
PUBLISHED = HERE.parent / "results" / "published" / "regimes-2026-11"
#: Factors that change by a multiple from level to level; 5 and 20 labels are one step of four.
LOGARITHMIC = {"imbalance": 4.0, "rows": 4.0, "labels": 4.0}
TERMS = ("imbalance", "rows", "labels", "dependence", "noise")
#: Kinds of worlds for which a winner is looked for; finer ones have too few worlds for two halves.
MILD, STRONG = (3.0, 10.0), (50.0, 200.0)
#: Rows of the data set → epochs of the rows that the map is drawn from; other epochs only show what a budget does.
EPOCHS = {500: 80, 2000: 20, 8000: 10}
#: Strategies that were run for both numbers of epochs in the worlds that show what a budget does.
SLOW = ("asl", "distribution_balanced")
Row = Mapping[str, Any]


def known_worlds() -> dict[str, dict[str, float]]:
    """Data set → its numbers in docs/regimes-worlds.csv."""
    with KNOWN.open(encoding="utf-8", newline="") as file:
        return {row.pop("dataset"): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}


def compute_worlds(rows: Sequence[Row], real: Sequence[str]) -> None:
    """Add to docs/regimes-worlds.csv the worlds of rows, and the real data sets, that are not in it."""
    known = known_worlds() if KNOWN.exists() else {}
    for name in dict.fromkeys(str(row["dataset"]) for row in rows):
        if name not in known:
            best = best_of([row for row in rows if row["dataset"] == name and row["strategy"] == "none"])
            known[name] = best[name]._asdict() | traits(name)
    unknown = dict.fromkeys(Best._fields, math.nan)
    known |= {name: unknown | traits(name) for name in real if name not in known}
    with KNOWN.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["dataset", *next(iter(known.values()))], lineterminator="\n")
        writer.writeheader()
        for name, numbers in known.items():
            writer.writerow({"dataset": name} | {k: f"{v:.6g}" for k, v in numbers.items()})


def traits(name: str) -> dict[str, float]:
    """Measures of the labels of a data set, real or not: MeanIR, positives of a median label, rDep, labels."""
    Y = np.asarray(load_dataset(name).Y)
    counts = Y.sum(axis=0)
    positives = float(np.median(counts[counts > 0]))
    return {
        "mean_ir": measures.mean_ir(Y),
        "positives": positives,
        "rdep": measures.rdep(Y),
        "count": float(Y.shape[1]),
    }


def observed(rows: Sequence[Row], epochs: Mapping[int, int]) -> Worlds:
    """The worlds of the rows that were trained for this number of epochs, with their factors and best scores."""
    known = known_worlds()
    factors = factors_of(known)
    best = {name: Best(n["map"], n["macro_f1"], n["half"]) for name, n in known.items()}
    chosen = [
        dict(row)
        for row in rows
        if row["settings"]["epochs"] == epochs.get(int(factors[row["dataset"]]["rows"]))
    ]
    return worlds_of(chosen, factors, best)


def corners(worlds: Worlds) -> list[tuple[float, float]]:
    """Every (rows, imbalance) with worlds, from small to large."""
    return sorted({(w.factors["rows"], w.factors["imbalance"]) for w in worlds.worlds})


def kinds(worlds: Worlds) -> Iterator[tuple[str, Worlds]]:
    """Worlds by rows, and by whether the imbalance is mild or strong."""
    for rows in worlds.levels("rows"):
        for ratios in (MILD, STRONG):
            chosen = [w for w in worlds.where(rows=rows).worlds if w.factors["imbalance"] in ratios]
            present = sorted({w.factors["imbalance"] for w in chosen})
            if chosen:
                yield f"{rows:g} rows, imbalance {' and '.join(f'{r:g}' for r in present)}", Worlds(chosen)


def strategies(worlds: Worlds) -> list[str]:
    """All strategies but `none`, in the order of the suite."""
    return [s for s in dict.fromkeys(n for w in worlds.worlds for n in w.scores) if s != "none"]


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
        columns = effects.centred(here, TERMS, LOGARITHMIC)
        if {"imbalance", "rows"} <= set(columns):
            columns["imbalance × rows"] = columns["imbalance"] * columns["rows"]
        values = here.differences(name, rule)
        if np.any(values):
            found[name] = effects.fit(values, columns)
    return found


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
    lines = [["strategy", *heads.values()]]
    for name in fitted:
        lines.append([f"`{name}`", *(_signed(adjusted.get(f"{name}|{t}")) for t in heads)])
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
        one = choose(kind, kind.complete, rule, against)
        lines.append(
            [
                name,
                str(one.worlds),
                f"`{one.strategy}`",
                number(one.apparent),
                _interval(one.gain),
                _percent(one.share),
                _verdict(one),
            ]
        )
    return table(lines)


def thresholds(worlds: Worlds) -> dict[str, list[float]]:
    """Step → macro-F1 in each kind of world, from `none` at ½ up to the best possible."""
    steps: dict[str, list[float]] = {}
    for _, kind in kinds(worlds):
        base = [w.scores["none"] for w in kind.worlds]
        tuned = float(np.mean([s.tuned for s in base]))
        untuned = float(np.mean([s.untuned for s in base]))
        half, best = (float(np.mean([getattr(w.best, f) for w in kind.worlds])) for f in ("half", "macro_f1"))
        at_half = choose(kind, kind.complete, "untuned").gain.value
        further = choose(kind, kind.complete, "tuned").gain.value
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


def _signed(one: Estimate | None) -> str:
    if one is None:
        return "–"
    text = f"{number(one.value)} ± {(one.high - one.low) / 2:.3f}".replace("± 0.", "± .")
    return f"**{text}**" if one.p_holm < 0.05 else text


def _interval(one: Estimate) -> str:
    return f"{number(one.value)} ({number(one.low)} to {number(one.high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else "–"


def _verdict(one: Choice) -> str:
    return {GAIN: "a gain", NOTHING: "nothing gains .01"}.get(one.verdict, "open")


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


def thresholds_table(worlds: Worlds) -> str:
    """The steps of `thresholds`, and what of the best strategy's gain at ½ tuned thresholds give to `none`."""
    steps = thresholds(worlds)
    lines = [["worlds", *steps, "share of the gain at ½ that tuning alone gives"]]
    for i, (name, _) in enumerate(kinds(worlds)):
        base, chosen, tuned = (values[i] for values in list(steps.values())[:3])
        lines.append(
            [name, *(f"{v[i]:.3f}"[1:] for v in steps.values()), _percent((tuned - base) / (chosen - base))]
        )
    return table(lines)


def budgets_table(rows: Sequence[Row]) -> str:
    """The same worlds trained for two numbers of epochs: what `none` reaches, and what strategies gain over it."""
    lines = [["rows, epochs", "worlds", "score", "none", *(f"`{name}`" for name in SLOW)]]
    for size, few, many in ((500, 20, 80), (2000, 20, 80)):
        short, long = observed(rows, {size: few}), observed(rows, {size: many})
        # Worlds in which all of these strategies were run with both budgets.
        both = [
            {w.dataset for w in one.worlds if all(name in w.scores for name in SLOW)} for one in (short, long)
        ]
        for rule, words in zip(RULES[:2], WORDS[:2], strict=True):
            for epochs, one in ((few, short), (many, long)):
                here = Worlds([w for w in one.worlds if w.dataset in both[0] & both[1]])
                base = float(np.mean([getattr(w.scores["none"], rule) for w in here.worlds]))
                gains = [_signed(effects.mean(here.differences(name, rule))) for name in SLOW]
                head = [f"{size}, {epochs}", str(len(here.worlds)), words]
                lines.append([*head, f"{base:.3f}"[1:], *gains])
    return table(lines)


def draw(worlds: Worlds) -> None:
    """Draw the map and the ladder into docs/images."""
    where = corners(worlds)
    maps = {f"Difference from none: {WORDS[i]}": heat(worlds, rule) for i, rule in enumerate(RULES)}
    names = [f"{rows:g} rows\n{ratio:g} : 1" for rows, ratio in where]
    edges = [i for i, (a, b) in enumerate(itertools.pairwise(where), 1) if a[0] != b[0]]
    pictures.regime_map(maps, names, (0.05, 0.05, 0.3), edges).savefig(IMAGES / "regimes.png", dpi=120)
    steps = thresholds(worlds)
    half = steps.pop("the exact posterior at ½")
    del half
    named = [name for name, _ in kinds(worlds)]
    figure = pictures.ladder(
        {k: np.array(v) for k, v in steps.items()}, named, "Macro-F1 from ½ to the best possible"
    )
    figure.savefig(IMAGES / "regimes-thresholds.png", dpi=120)


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """Every table of the page by the name of its mark."""
    worlds = observed(rows, EPOCHS)
    chosen = {f"chosen {rule}": choices(worlds, rule) for rule in RULES}
    changes = {f"effects {rule}": effects_table(worlds, rule) for rule in RULES}
    return {
        "corners": corners_table(worlds),
        "thresholds": thresholds_table(worlds),
        "chosen untuned against tuned": choices(worlds, "untuned", "tuned"),
        "budgets": budgets_table(rows),
        **chosen,
        **changes,
        **real_tables(worlds),
    }


def real_tables(worlds: Worlds) -> dict[str, str]:
    """The tables about data sets that are not generated."""
    check = runpy.run_path(str(HERE / "make_regimes_check.py"))
    real, known = check["load"](), known_worlds()
    return {
        "real rules": check["rules_table"](known, real, strategies(worlds)),
        "real predictions": check["checks_table"](worlds, known, real),
    }


def page(rows: Sequence[Row]) -> str:
    """The page as it should be."""
    filled = runpy.run_path(str(HERE / "make_performance.py"))["filled"]
    made: str = filled(PAGE.read_text(encoding="utf-8"), tables(rows))
    return made


if __name__ == "__main__":
    listed = Store(Path(sys.argv[2])).rows() if sys.argv[1:2] == ["--worlds"] else read_folder(PUBLISHED).rows
    if sys.argv[1:2] == ["--worlds"]:
        measured = runpy.run_path(str(HERE / "make_regimes_check.py"))["load"]()
        compute_worlds(listed, list(dict.fromkeys(one.dataset for one in measured)))
    draw(observed(listed, EPOCHS))
    if PAGE.exists():
        PAGE.write_text(page(listed), encoding="utf-8")
    else:
        print("\n\n".join(f"{k}\n{v}" for k, v in tables(listed).items()))
