"""Tables of docs/regimes.md that compare two parts of the worlds: few and many epochs, and labels without and with noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from regimes_rows import STRONG, Row, observed
from regimes_tables import number, signed, table

from equipoise.core.arrays import Floats
from equipoise.worlds import effects
from equipoise.worlds.best import factors_of
from equipoise.worlds.world import RULES, WORDS, World, Worlds

#: Strategies that were run for both numbers of epochs in the worlds that show what a budget does.
SLOW = ("asl", "distribution_balanced")
#: (rows, few epochs, many epochs) of the worlds that were trained twice.
TWICE = ((500, 20, 80), (2000, 20, 40))
#: Losses that give hard cells more weight.
LOSSES = ("asl", "focal", "distribution_balanced")
#: mAP and tuned macro-F1.
SHOWN = tuple(zip(RULES, WORDS, strict=True))[:2]


def budgets_table(rows: Sequence[Row]) -> str:
    """The same worlds trained for two numbers of epochs, and the change from few to many, paired by world."""
    lines = [["rows, noise", "epochs", "worlds", "score", "`none`", *(f"`{name}`" for name in SLOW)]]
    for size, few, many in TWICE:
        trained = {epochs: observed(rows, {size: epochs}) for epochs in (few, many)}
        for noise in trained[few].levels("noise"):
            parts = {epochs: _whole(one.where(noise=noise)) for epochs, one in trained.items()}
            lines += _budget_lines(parts, f"{size}, {noise:g}")
    return table(lines)


def _whole(worlds: Worlds) -> dict[str, World]:
    """The worlds in which all of SLOW were run, by data set."""
    return {w.dataset: w for w in worlds.worlds if all(name in w.scores for name in SLOW)}


def _budget_lines(trained: Mapping[int, Mapping[str, World]], name: str) -> Iterator[list[str]]:
    few, many = trained
    both = [dataset for dataset in trained[few] if dataset in trained[many]]
    for rule, words in SHOWN if both else ():
        start = [name, str(few), str(len(both)), words]
        found = {e: [changed(trained[e], both, s, rule) for s in ("none", *SLOW)] for e in trained}
        for epochs, (base, *gains) in found.items():
            start[1] = str(epochs)
            yield [*start, f"{base.mean():.3f}"[1:], *(signed(effects.mean(g)) for g in gains)]
        start[1] = f"change, {few} → {many}"
        pairs = zip(found[few], found[many], strict=True)
        yield [*start, *(interval(after - before) for before, after in pairs)]


def changed(trained: Mapping[str, World], both: Sequence[str], strategy: str, rule: str) -> Floats:
    """The differences of a strategy from `none` in these worlds, (worlds,); for `none` its scores."""
    if strategy == "none":
        return np.array([getattr(trained[dataset].scores["none"], rule) for dataset in both])
    return np.array([trained[dataset].difference(strategy, rule) for dataset in both])


def noise_table(worlds: Worlds) -> str:
    """What losses gain over `none` where labels are clean and where they are noisy; first in all worlds, then in some."""
    lines = [["worlds", "noise", "n", "score", *(f"`{name}`" for name in LOSSES)]]
    strong = [w for w in worlds.where(rows=2000).worlds if w.factors["imbalance"] in STRONG]
    for name, some in (("all", worlds), ("2000 rows, imbalance 50 and 200", Worlds(strong))):
        for noise in some.levels("noise"):
            here = some.where(noise=noise)
            for rule, words in SHOWN:
                gains = [interval(here.differences(s, rule)) for s in LOSSES]
                lines.append([name, f"{noise:g}", str(len(here.worlds)), words, *gains])
    return table(lines)


def confirmed_table(rows: Sequence[Row]) -> str:
    """The losses on new worlds, which were run for one question that was written down before; then by parts of these worlds."""
    scores: dict[str, dict[str, Mapping[str, float]]] = {}
    for row in rows:
        scores.setdefault(row["dataset"], {})[row["strategy"]] = row["metrics"]
    factors = factors_of(scores)
    parts = {"all": list(scores)} | {
        f"{name} {value:g}": [w for w in scores if factors[w][name] == value]
        for name in ("labels", "imbalance")
        for value in sorted({factors[w][name] for w in scores})
    }
    lines = [["worlds", "n", "score", *(f"`{name}`" for name in LOSSES)]]
    for part, worlds in parts.items():
        for metric, words in (("scores/map", WORDS[0]), ("tuned/macro_f1", WORDS[1])):
            gains = (
                np.array([scores[w][s][metric] - scores[w]["none"][metric] for w in worlds]) for s in LOSSES
            )
            lines.append([part, str(len(worlds)), words, *map(interval, gains)])
    return table(lines)


def interval(values: Floats) -> str:
    """The mean of independent worlds with its interval."""
    one = effects.mean(values)
    return f"{number(one.value)} ({number(one.low)} to {number(one.high)})"
