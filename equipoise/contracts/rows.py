"""Training rows as a resampler sees them: an index into shared features, the labels, and any synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy

from equipoise.core.arrays import is_sparse


@dataclass(frozen=True, eq=False)
class Offer:
    """Rows of the user's own file that a strategy may add to the training rows of one fold (`external_rows`).

    None of them was made from a held-out row, or equals one: the pipeline has left those out.

    Attributes:
        index: (e,) int64, the position of each row in `Rows.shared`, behind the training rows.
        Y: (e, L) uint8 labels.
    """

    index: np.ndarray
    Y: np.ndarray

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Rows:
    """A set of training rows: m = len(index) original rows, followed by s synthetic ones.

    Keeping, dropping and repeating rows only changes `index`, so that the features, which may take gigabytes, are never copied.

    Attributes:
        index: (m,) int64, the position of each row in `shared`.
        Y: (m + s, L) uint8 labels, those of the synthetic rows last.
        shared: (n, d) features of all rows, dense or CSR, never copied; None if the inputs are not numeric (texts).
        synthetic: (s, d) features of the synthetic rows, dense or CSR as `shared`; None if there are none.
        nominal: (d,) which features are categories, or None if none is. As bool, each marked column is a category coded as a
            number. As integers, 0 marks a numeric column, and columns with the same number above 0 are one-hot columns of one
            category.
        offered: rows that `include` can add; None where the strategy names no file of rows.
    """

    index: np.ndarray
    Y: np.ndarray
    shared: Any = field(default=None, repr=False)
    synthetic: Any = field(default=None, repr=False)
    nominal: np.ndarray | None = field(default=None, repr=False)
    offered: Offer | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.Y)

    @property
    def n_synthetic(self) -> int:
        """The number of synthetic rows, s."""
        return 0 if self.synthetic is None else int(self.synthetic.shape[0])

    @property
    def n_included(self) -> int:
        """How many of the offered rows are among these rows, however often each."""
        return 0 if self.offered is None else len(np.intersect1d(self.index, self.offered.index))

    @property
    def X(self) -> Any:
        """Features of all rows, (m + s, d): a copy, for strategies that need distances.

        Raises:
            ValueError: the inputs are not numeric.
        """
        if self.shared is None:
            raise ValueError("these rows have no numeric features")
        original = self.shared[self.index]
        if self.synthetic is None:
            return original
        return _stacked(original, self.synthetic)

    def take(self, positions: np.ndarray) -> Rows:
        """The rows at these positions (0..m+s−1, repeats allowed), in this order but with synthetic rows moved to the end."""
        # Everything else relies on synthetic rows coming last: `index` knows only the original ones.
        positions = np.asarray(positions, dtype=np.int64)
        original = positions[positions < len(self.index)]
        moved = positions[positions >= len(self.index)]
        synthetic = None if self.synthetic is None else self.synthetic[moved - len(self.index)]
        Y = self.Y[np.concatenate([original, moved])]
        return replace(self, index=self.index[original], Y=Y, synthetic=synthetic)

    def repeat(self, positions: np.ndarray) -> Rows:
        """All rows, plus a copy of each row at these positions; synthetic rows come last."""
        return self.take(np.concatenate([np.arange(len(self)), np.asarray(positions, dtype=np.int64)]))

    def include(self, positions: np.ndarray) -> Rows:
        """All rows, plus the offered rows at these positions; synthetic rows come last.

        Raises:
            ValueError: no rows are offered.
        """
        if self.offered is None:
            raise ValueError("no rows are offered")
        m = len(self.index)
        index = np.concatenate([self.index, self.offered.index[positions]])
        return replace(self, index=index, Y=np.vstack([self.Y[:m], self.offered.Y[positions], self.Y[m:]]))

    def relabel(self, Y: np.ndarray) -> Rows:
        """The same rows with labels Y (m + s, L)."""
        return replace(self, Y=np.ascontiguousarray(Y, dtype=np.uint8))

    def add(self, X: Any, Y: np.ndarray) -> Rows:
        """All rows, plus synthetic rows with features X (s, d) and labels Y (s, L)."""
        synthetic: Any = X if self.synthetic is None else _stacked(self.synthetic, X)
        # The dtype of the shared features, so that both can be stacked without a conversion of the large array.
        dtype = np.float32 if self.shared is None else self.shared.dtype
        sparse = is_sparse(synthetic)
        features = scipy.sparse.csr_matrix(synthetic) if sparse else np.asarray(synthetic, dtype=dtype)
        return replace(self, synthetic=features, Y=np.vstack([self.Y, Y.astype(np.uint8)]))


def _stacked(*parts: Any) -> Any:
    """The parts below each other, as CSR if they are sparse."""
    return scipy.sparse.vstack(parts, format="csr") if is_sparse(parts[0]) else np.vstack(parts)
