"""Put the rows of benchmarks/published/numbers.jsonl into docs/published-numbers.md: `python docs/make_published_numbers.py`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

HERE = Path(__file__).parent
PAGE = HERE / "published-numbers.md"
_ADDED = [str(HERE.parent / "benchmarks"), str(HERE.parent / "benchmarks" / "published")]
sys.path += _ADDED
try:
    import goemotions_tfidf
    import huang
    import huang_losses
    import number_rows
    import reuters_svm
    from competence_rows import versions_line
    from story import markdown
finally:
    sys.path[-len(_ADDED) :] = []

Row = dict[str, Any]
#: How the tables call the decisions.
RULES = {
    "half": "½",
    "one": "one threshold",
    "per label": "per label",
    "per label, unsmoothed": "per label, unsmoothed",
}


def of(rows: Sequence[Row], part: str) -> list[Row]:
    """The rows of a part, in the order of the file."""
    return [row for row in rows if row["part"] == part]


def pair(scores: Sequence[float]) -> str:
    """Micro- and macro-F1 as the papers print them."""
    return f"{scores[0]:.2f}/{scores[1]:.2f}"


def interval(values: Sequence[float]) -> str:
    """A difference in points with its 95 % interval."""
    value, low, high = (f"{v:+.1f}".replace("-", "−") for v in values)
    return f"{value} [{low}, {high}]"


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def svm_table(rows: Sequence[Row]) -> str:
    """Every way to fill in the SVM row of the paper, the nearest first."""
    lines = [
        (f"{row['name']}, {_cut(row, rule)}", *map(pair, (scores[g] for g in huang.GROUPS)), distance)
        for row in of(rows, reuters_svm.PART)
        for rule, scores in row["scores"].items()
        for distance in [f"{reuters_svm.distance(scores):.2f}"]
    ]
    published = ("**published**", *map(pair, huang.PUBLISHED["SVM"].values()), "")
    return markdown(
        ("features, weights, threshold", *huang.GROUPS, "away"),
        [published, *sorted(lines, key=lambda line: float(line[-1]))],
    )


def _cut(row: Row, rule: str) -> str:
    if rule in ("0", "half"):
        return "threshold 0"
    if rule == "per label":
        return "tuned per label"
    return f"threshold {min(row['thresholds'].values()) if rule == 'chosen' else row['thresholds'][rule]:.1f}"


def goemotions_table(rows: Sequence[Row]) -> str:
    """Micro/macro F1 of each variant under each decision."""
    lines = [
        (
            row["name"],
            *(pair(row["scores"][rule]["total"]) if rule in row["scores"] else "" for rule in RULES),
            f"{row['thresholds']['one']:.2f}",
        )
        for row in of(rows, goemotions_tfidf.PART)
    ]
    return markdown(("features, class weights", *RULES.values(), "the one threshold"), lines)


def _settings(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Setting → loss → row."""
    out: dict[str, dict[str, Row]] = {}
    for row in of(rows, huang_losses.PART):
        out.setdefault(row["setting"], {})[row["loss"]] = row
    return out


def losses_table(rows: Sequence[Row]) -> str:
    """Micro/macro F1 of each loss at one threshold, in each setting, beside the paper's."""
    lines = [
        (f"{name}, published with BERT", *map(pair, huang.PUBLISHED[name].values()))
        for name in huang_losses.LOSSES
    ]
    for setting, found in _settings(rows).items():
        lines += [
            (f"{loss}, {setting}", *(pair(row["scores"]["one"][g]) for g in huang.GROUPS))
            for loss, row in found.items()
        ]
    return markdown(("loss, model", *huang.GROUPS), lines)


def differences_table(rows: Sequence[Row], group: str = "total") -> str:
    """Macro-F1 minus that of BCE: the paper's, then each setting and decision with its interval."""
    losses = [name for name in huang_losses.LOSSES if name != "BCE"]
    base = huang.PUBLISHED["BCE"][group][1]
    lines = [("published, BERT", *(signed(huang.PUBLISHED[name][group][1] - base) for name in losses))]
    for setting, found in _settings(rows).items():
        if found.keys() == {"BCE"}:
            continue
        for rule in ("half", "one", "per label"):
            cells = [
                interval(found[name]["minus BCE"][rule][group]["macro"]) if name in found else ""
                for name in losses
            ]
            lines.append((f"{setting}, {RULES[rule]}", *cells))
    return markdown(("model, decision", *(f"{name} − BCE" for name in losses)), lines)


def orders_table(rows: Sequence[Row]) -> str:
    """How far the order of the losses in total macro-F1 agrees with the paper's, and how far apart best and worst are."""
    names = list(huang_losses.LOSSES)
    paper = [huang.PUBLISHED[name]["total"][1] for name in names]
    lines = [
        ("published, BERT", "1.00", f"{max(paper) - min(paper):.1f}", f"{paper[0]:.1f}", names[_best(paper)])
    ]
    for setting, found in _settings(rows).items():
        if len(found) < len(names):
            continue
        for rule in ("half", "one", "per label"):
            ours = [found[name]["scores"][rule]["total"][1] for name in names]
            rank = f"{spearmanr(paper, ours).statistic:.2f}".replace("-", "−")
            spread = f"{max(ours) - min(ours):.1f}"
            lines.append((f"{setting}, {RULES[rule]}", rank, spread, f"{ours[0]:.1f}", names[_best(ours)]))
    return markdown(("model, decision", "rank correlation", "best − worst", "BCE", "best"), lines)


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def summary_table(rows: Sequence[Row]) -> str:
    """Published, ours, and how ours was made, in one line for each number."""
    lines = [*_svm_lines(rows), *_goemotions_lines(rows), *_loss_lines(rows)]
    return markdown(("number", "published", "ours", "how ours was made"), lines)


def _goemotions_lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The decision at ½ with the abstract's class weights, and the variant and decision that come nearest."""
    found = [
        (row["scores"][rule]["total"][0], f"{row['name']}, {RULES[rule]}")
        for row in of(rows, goemotions_tfidf.PART)
        for rule in ("half", "one")
    ]
    weighted = next(f for f in found if f[1] == f"{goemotions_tfidf.VARIANTS[1].name}, ½")
    nearest = min(found, key=lambda f: abs(f[0] - goemotions_tfidf.PUBLISHED))
    published = f"{goemotions_tfidf.PUBLISHED:.0f}"
    return [
        ("GoEmotions, logistic regression, micro-F1", published, f"{micro:.2f}", how)
        for micro, how in (weighted, nearest)
    ]


def _svm_lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    found = [
        (reuters_svm.distance(scores), f"{row['name']}, {_cut(row, rule)}", scores)
        for row in of(rows, reuters_svm.PART)
        for rule, scores in row["scores"].items()
    ]
    literal = next(
        f for f in found if f[1].startswith(f"{reuters_svm.VARIANTS[0].name}, no class weights, threshold 0")
    )
    published = pair(huang.PUBLISHED["SVM"]["total"])
    return [
        ("Reuters, SVM, micro/macro F1", published, pair(scores["total"]), how)
        for _, how, scores in (literal, min(found, key=lambda f: f[0]))
    ]


def _loss_lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    published = signed(huang.PUBLISHED["DB"]["total"][1] - huang.PUBLISHED["BCE"]["total"][1])
    lines = []
    for setting, found in _settings(rows).items():
        for rule in ("one", "per label") if "DB" in found else ():
            ours = interval(found["DB"]["minus BCE"][rule]["total"]["macro"])
            lines.append(("Reuters, DB − BCE, macro-F1", published, ours, f"{setting}, {RULES[rule]}"))
    return lines


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """Name → table."""
    return {
        "summary": summary_table(rows),
        "svm": svm_table(rows),
        "goemotions": goemotions_table(rows),
        "losses": losses_table(rows),
        "differences": differences_table(rows),
        "tail": differences_table(rows, "tail"),
        "orders": orders_table(rows),
        "versions": versions_line(rows),
    }


def page() -> str:
    """The page as it should be."""
    filled = runpy.run_path(str(HERE / "make_performance.py"))["filled"]
    made: str = filled(PAGE.read_text(encoding="utf-8"), tables(number_rows.load()))
    return made


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
