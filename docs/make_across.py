"""Prints the table of error rates in docs/statistics-across.md: simulated reports in which no strategy differs on average.

python docs/make_across.py
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from equipoise.rankings import effects, ranks
from equipoise.report.units import excess

SPLITS = 5
NOISE = 0.010  # standard deviation of a score between splits
CASES = [(b, k, tau) for b in (5, 8, 15) for k, tau in ((5, 0.0), (5, 0.010), (20, 0.010))]


def reports(
    blocks: int, strategies: int, tau: float, count: int, seed: int = 1
) -> Iterator[tuple[bool, float, float, bool]]:
    """For each report: any false claim, share of intervals that cover 0, their mean width, any difference of ranks."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        scores = rng.normal(0, NOISE, (strategies, blocks, SPLITS))
        scores[1:] += rng.normal(0, tau, (strategies - 1, blocks))[:, :, None]
        pairs = scores[1:] - scores[0]
        own = pairs.var(axis=2, ddof=1)
        # As in `equipoise.rankings.scores`: half the weight on the common variance of a table, and more for shared rows.
        variances = (
            (own + own.mean(axis=0)) / 2 * (1 / SPLITS + excess((0, split) for split in range(SPLITS)))
        )
        means = pairs.mean(axis=2)
        found = effects.holm(
            {str(k): effects.effect(d, v) for k, (d, v) in enumerate(zip(means, variances, strict=True))}
        )
        covers = [one.low <= 0 <= one.high for one in found.values()]
        widths = [one.high - one.low for one in found.values()]
        test = ranks.omnibus(scores.mean(axis=2))
        told = ranks.apart(ranks.rank(scores.mean(axis=2)).mean(axis=1), test).any()
        claim = any(one.significant for one in found.values())
        yield claim, float(np.mean(covers)), float(np.mean(widths)), bool(told)


def main() -> None:
    """Print one line per case."""
    # Probabilities of the Bayesian test make no claim of significance, and take most of the time.
    effects.signed_rank = lambda *_: (0.0, 1.0, 0.0)  # type: ignore[assignment]
    for blocks, strategies, tau in CASES:
        claims, cover, width, told = np.array(
            list(reports(blocks, strategies, tau, 2000 if strategies == 5 else 500)), dtype=float
        ).mean(axis=0)
        line = (
            blocks,
            strategies,
            f"{tau:.3f}",
            f"{claims:.3f}",
            f"{cover:.3f}",
            f"{width:.3f}",
            f"{told:.3f}",
        )
        print("| " + " | ".join(str(cell) for cell in line) + " |", flush=True)


if __name__ == "__main__":
    main()
