"""The action that the page begins with: what to do about each data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.report.advice import advise
from equipoise.report.comparison import Comparison


@dataclass(frozen=True)
class Action:
    """What to do about one data set: a heading, what to use now, how sure that is, and the next command ("" for none)."""

    title: str
    generated: bool
    use: str
    how_sure: list[str]
    command: str


def actions(comparisons: Sequence[Comparison], results: str) -> list[Action]:
    """One action for each data set that has a table with a complete baseline; official splits give none."""
    generated = {comparison.dataset for comparison in comparisons if comparison.generated}
    found = []
    for advice in advise(comparisons, results):
        # The last sentence is the command, which the page shows as code.
        first, *rest = [text for text in advice.sentences if not text.endswith(advice.command)]
        title = f"{advice.dataset} · {advice.variant}" if advice.variant else advice.dataset
        found.append(Action(title, advice.dataset in generated, first, rest, advice.command))
    return found
