"""A balancing strategy for equipoise. It weights up the loss of rare labels; put your own method in its place.

    equipoise check ./my_strategy.py                # does it obey the rules of the contract?
    equipoise run --dataset design-emails --backbone linear --strategy none --strategy ./my_strategy.py

The contract, with a table of all hooks, is the docstring of `equipoise.contracts.strategy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from equipoise import Context, Strategy, bce, tunable


@dataclass(frozen=True)
class MyStrategy(Strategy):
    """Cross-entropy in which a label's weight grows with its rarity: (N / n) ** power."""  # `equipoise list` shows this

    # The name on the command line, in suites and in results.
    name: ClassVar[str] = "my_strategy"
    # Author, year and DOI of the method, which reports print.
    reference: ClassVar[str] = "unpublished"
    # What it cannot do without: "numeric" inputs, "text", "labels" (two or more), "given" (a model that takes labels as
    # inputs), "file" (rows of the user's own). A combination that does not fit is skipped with this reason.
    requires: ClassVar[frozenset[str]] = frozenset()
    # The setting at which the method does nothing, if there is one: `equipoise check` then tests that it equals `none`
    # exactly. Delete the line otherwise.
    off: ClassVar[dict[str, float] | None] = {"power": 0.0}

    # Whether `loss` also takes K trainings at once: logits (K, B, L), counts (K, 1, L), hyperparameters (K, 1, 1). That is
    # faster. Delete the line if yours does not; `equipoise check` tells.
    vectorized: ClassVar[bool] = True

    # A hyperparameter with its default, the range that the search draws from, and what users may pin, my_strategy[power=2]:
    # here any number from 0 (also `above`, `below` and `at_most`; any finite number without them).
    power: float = tunable(0.5, low=0.0, high=1.0, at_least=0)

    # A strategy overrides one or more hooks and leaves out the others. They act in this order:
    #
    #   resample(rows, ctx) -> Rows               repeat, drop or synthesise training rows
    #   tasks(Y, ctx) -> list of Task             split the problem into several networks ...
    #   merge(tasks, logits, ctx) -> (n, L)       ... and join their logits (after training)
    #   vote(tasks, logits, ctx) -> (n, L) bool   ... or their decisions, where the method has them vote
    #   weights(Y, ctx) -> (n,)                   how often each row is drawn into a batch
    #   loss(logits, targets, ctx) -> (B, L)      what training minimises, not yet averaged
    #   head(representation, Y, weight, bias, ctx) -> function    replace the last layer after training
    #   adjust(logits, Y, ctx) -> function        correct the logits after training
    #   decide(logits, Y, ctx) -> function        turn logits into labels, e.g. with thresholds
    #
    # ctx.n_pos is (L,), the positives of each label among the ctx.n_rows training rows; ctx.trained_pos and
    # ctx.trained_rows are the same for the rows that a network learns from, after any resampling. A hook that needs chance
    # draws from ctx.rng only: the same seed then gives the same result.

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        """(B, L) of one batch: logits and 0/1 targets are (B, L).

        No `if` on a hyperparameter and no random numbers here: many settings are trained side by side, with tensors in
        the place of their numbers.
        """
        # (L,); the counts are at least 1 here, because a label may have no positive row.
        weight = (ctx.trained_rows / ctx.trained_pos.clamp(min=1.0)) ** self.power
        weighted: Tensor = bce(logits, targets) * (1.0 + targets * (weight - 1.0))  # positives only
        return weighted
