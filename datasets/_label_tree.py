"""A tree-shaped joint distribution of labels: drawing from it, and the exact posterior given evidence on each label.

The model is P(y) = Π_l P(y_l | y_parent(l)): Chow & Liu 1968, DOI
10.1109/TIT.1968.1054142. If the evidence on each label depends on that label only, two passes over the tree give
the exact marginals (sum-product) and the most probable labelset (max-product): Pearl 1988, Probabilistic Reasoning in
Intelligent Systems, ISBN 978-1-55860-479-7. Time and memory are linear in rows × labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from equipoise.bayes import Posterior
from equipoise.core.arrays import Bools, Floats, Ints, row_chunks


class _Pass(NamedTuple):
    """The result of the pass from the leaves to the root, for L labels and m rows."""

    inner: Floats  # (L, m, 2): evidence on the label and everything below it, up to a factor for each row
    messages: Floats  # (L, m, 2): from the label to its parent, one value for each state of the parent
    best: Bools  # (L, m, 2): the more probable state of the label for each state of its parent
    log_total: Floats  # (m,): log of the sum (or maximum) over all labelsets


@dataclass(frozen=True, eq=False)
class LabelTree:
    """L binary labels. Label 0 is the root, and a parent comes before its children, so one loop visits them in order."""

    parent: Ints  # (L,): index of the parent, 0 for the root
    chance: Floats  # (L, 2): P(y_l = 1 | y_parent = 0), P(y_l = 1 | y_parent = 1); equal for the root

    def draw(self, uniforms: Floats) -> Bools:
        """Draw labels (n, L) from uniform numbers (n, L)."""
        Y = np.zeros(uniforms.shape, dtype=np.bool_)
        for label, parent in enumerate(self.parent):
            Y[:, label] = uniforms[:, label] < self.chance[label][Y[:, parent].astype(np.intp)]
        return Y

    def posterior(self, evidence: Floats) -> Posterior:
        """The posterior of n rows from the likelihoods P(evidence on label l | y_l = 0, 1), (n, L, 2).

        A row whose evidence has probability 0 under the model comes out as NaN.
        """
        parts = [self._posterior(evidence[rows]) for rows in row_chunks(len(evidence), 8 * len(self.parent))]
        return Posterior(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _posterior(self, evidence: Floats) -> Posterior:
        # The sum over all labelsets gives the marginals and the maximum gives the mode; their ratio is the mode's
        # posterior probability.
        total, highest = self._inward(evidence, np.add), self._inward(evidence, np.maximum)
        probability = np.exp(highest.log_total - total.log_total)
        return Posterior(self._marginals(total), self._mode(highest), probability)

    def _inward(self, evidence: Floats, combine: np.ufunc) -> _Pass:
        """The pass from the leaves to the root; `combine` joins a label's two states by sum or maximum."""
        inner = np.ascontiguousarray(evidence.transpose(1, 0, 2))
        messages, best = np.empty_like(inner), np.empty(inner.shape, dtype=np.bool_)
        log_total = np.zeros(inner.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            for label in reversed(range(len(inner))):
                # Keeps products over many labels from underflow.
                scale = inner[label].max(axis=1, keepdims=True)
                inner[label] /= scale
                log_total += np.log(scale[:, 0])
                on = inner[label, :, 1:] * self.chance[label]
                off = inner[label, :, :1] * (1.0 - self.chance[label])
                best[label], messages[label] = on > off, combine(on, off)
                if label:
                    inner[self.parent[label]] *= messages[label]
            return _Pass(inner, messages, best, log_total + np.log(messages[0, :, 0]))

    def _marginals(self, total: _Pass) -> Floats:
        """P(y_l = 1 | evidence), (m, L): the pass from the root to the leaves."""
        marginals = np.empty(total.inner.shape[:2])
        for label, parent in enumerate(self.parent):
            on = total.inner[label, :, 1:] * self.chance[label]
            # P(y_l = 1 | y_parent = 0, 1, evidence below); 0 where that state of the parent is impossible.
            conditional = np.divide(
                on, total.messages[label], out=np.zeros_like(on), where=total.messages[label] != 0
            )
            above = marginals[parent] if label else 0.0
            marginals[label] = conditional[:, 0] + above * (conditional[:, 1] - conditional[:, 0])
        return np.where(np.isfinite(total.log_total), np.clip(marginals, 0.0, 1.0), np.nan).T

    def _mode(self, highest: _Pass) -> Bools:
        """The most probable labelset, (m, L). On a tie a label is off (`best` compares with >, not ≥)."""
        mode = np.zeros(highest.best.shape[:2], dtype=np.bool_)
        for label, parent in enumerate(self.parent):
            mode[label] = np.where(mode[parent], highest.best[label, :, 1], highest.best[label, :, 0])
        return mode.T
