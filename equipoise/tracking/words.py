"""The verdict and the ranking in words and as a Markdown table, for the descriptions that MLflow shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equipoise.report.advice import Advice
from equipoise.report.comparison import Comparison, StrategyResult
from equipoise.report.results import RANKED
from equipoise.report.significance import FEW
from equipoise.report.units import BASELINE
from equipoise.report.words.conclusions import conclusions
from equipoise.report.words.numbers import duration, interval, number

#: MLflow from 3.1 on takes descriptions of this length; a table in one shows the best strategies only.
LONGEST, SHOWN = 4800, 10
#: Measures that decide → their words.
MEASURES = {"map": "mAP", "tuned_macro_f1": "macro-F1 tuned"}
HOW_TO_READ = (
    "Under *Views* above the runs: **Who won** has one run per strategy (means over the splits), **Cells** one per split, "
    "**Cost** the seconds. The run *summary* of each backbone has the ranking as a table, the report as a page, and pictures. "
    "`scores/…`: free of thresholds; `tuned/…`: thresholds tuned on out-of-fold training rows; `fixed/…`: threshold 0.5; "
    "`own/…`: the strategy's own decision; `gain/…`: minus none, paired by split; `spread/…`: standard deviation over repeated "
    "trainings. Undefined metrics are absent."
)


def versus_none(result: StrategyResult, comparison: Comparison) -> str:
    """How a strategy compares with the baseline, in a few words."""
    if result.state != RANKED:
        return result.state
    if result.strategy == BASELINE:
        return "baseline"
    if comparison.baseline is None:
        return "no baseline"
    found = [
        f"{'better' if delta.mean > 0 else 'worse'} in {words}"
        for name, words in MEASURES.items()
        if (delta := result.deltas.get(name)) is not None and delta.significant
    ]
    if found:
        return ", ".join(found)
    if result.only_decides:
        return "same scores as none"
    if comparison.official or len(comparison.units) < FEW:
        return f"too few splits to say ({len(comparison.units)})"
    return "no significant difference"


def ranking(comparison: Comparison) -> list[dict[str, Any]]:
    """The ranking as one record for each strategy, best first; the strategies that are not ranked come last."""
    return [
        {
            "rank": result.rank,
            "strategy": result.strategy,
            "mAP": _value(result, "map"),
            "macro-F1 tuned": _value(result, "tuned_macro_f1"),
            "versus none": versus_none(result, comparison),
            "mAP gain": _gain(result, "map"),
            "macro-F1 tuned gain": _gain(result, "tuned_macro_f1"),
            "macro-F1 at .5": _value(result, "fixed_macro_f1"),
            "splits": f"{result.splits} of {len(comparison.units)}",
            "time per cell": duration(result.seconds) if result.splits else "–",
            "why": result.why,
        }
        for result in comparison.results
    ]


def _value(result: StrategyResult, name: str) -> str:
    return number(result.means[name])


def _gain(result: StrategyResult, name: str) -> str:
    delta = result.deltas.get(name)
    return "" if delta is None else f"{number(delta.mean, True)} {interval(delta)}".strip()


def table_description(comparison: Comparison, shown: int | None = None) -> str:
    """The conclusions of a table and its ranking as Markdown, at most `shown` strategies; None: all."""
    records = ranking(comparison)
    columns = [name for name in records[0] if name not in ("splits", "why")]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        # MLflow's page sets the columns without any space between them.
        *(
            "| " + " | ".join(f"{_plain(record[name])}&ensp;" for name in columns) + " |"
            for record in records[:shown]
        ),
    ]
    more = len(records) - len(records[:shown])
    rest = [f"… and {more} more: see the summary run."] if more else []
    return "\n".join(["\n".join(conclusions(comparison)), "", *lines, *rest])


def experiment_description(comparisons: Sequence[Comparison], advice: Sequence[Advice]) -> str:
    """The verdict on a data set and the ranking with each backbone as Markdown, at most LONGEST characters."""
    told = [f"**What to do.** {_code(one)}" for one in advice]
    generated = ["*Generated data.*"] if any(c.generated for c in comparisons) else []
    for shown in (SHOWN, 5, 3, 0):
        tables = [f"### {_heading(c)}\n\n{table_description(c, shown)}" for c in comparisons] if shown else []
        text = "\n\n".join([*generated, *told, *tables, HOW_TO_READ])
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 1] + "…"


def _heading(comparison: Comparison) -> str:
    splits = len(comparison.units)
    variant = f" · {comparison.variant}" if comparison.variant else ""
    return f"{_plain(comparison.backbone)}{variant}, {splits} split{'s' * (splits != 1)}"


def _code(advice: Advice) -> str:
    """The advice with its command set as code."""
    return advice.text.replace(advice.command, f"`{advice.command}`") if advice.command else advice.text


def _plain(value: Any) -> str:
    """A value as it stands in a cell of a Markdown table: nothing in it is read as markup."""
    text = "–" if value is None else " ".join(str(value).split()).replace("|", "/").replace("`", "'")
    return f"`{text}`" if any(mark in text for mark in "_*<>") else text
