"""The action that the page begins with: what to do about each data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.report.advice import NO_GAIN, OPEN, TRADE, UNKNOWN, WON, advise
from equipoise.report.comparison import Comparison
from equipoise.report.one_label import Reader

#: What is known about a data set, in a few words, by `Advice.verdict`.
STATES = {
    WON: "a strategy is better",
    TRADE: "a strategy trades one metric for the other",
    NO_GAIN: "no strategy gains enough to matter",
    OPEN: "not decided",
    UNKNOWN: "not known yet",
}


@dataclass(frozen=True)
class Action:
    """What to do about one data set: a heading, what is known, what to use now, how sure that is, the next command ("": none)."""

    title: str
    state: str
    generated: bool
    use: str
    how_sure: list[str]
    command: str


def actions(comparisons: Sequence[Comparison], results: str, read: Reader | None = None) -> list[Action]:
    """One action for each data set that has a table with a complete baseline; official splits give none."""
    generated = {comparison.dataset for comparison in comparisons if comparison.generated}
    advice = advise(comparisons, results, read)
    # Two contents of one data set are two decisions; the title tells them apart by their hashes.
    names = Counter(one.dataset for one in advice)
    return [
        Action(
            title=f"{one.dataset} · data {one.data_sha256[:8]}" if names[one.dataset] > 1 else one.dataset,
            state=STATES.get(one.verdict, one.verdict),
            generated=one.dataset in generated,
            use=one.sentences[0],
            # The sentence with the command is left out, since the page shows that as code.
            how_sure=[text for text in one.sentences[1:] if not one.command or one.command not in text],
            command=one.command,
        )
        for one in advice
    ]
