"""Training rows as a resampler sees them: an index into shared features, labels, and whatever rows were synthesised."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy

from equipoise.core.arrays import is_sparse


@dataclass(frozen=True, eq=False)
class Rows:
    """m = len(index) rows of the shared features, followed by the synthesised ones.

    Attributes:
        index: (m,) int64, each row's place in `shared`.
        Y: (m + s, L) uint8 labels, the synthesised rows last.
        shared: (n, d) features of all training rows, dense or CSR, never copied; None where inputs cannot be averaged.
        synthetic: (s, d) features of the synthesised rows, of the same kind as `shared`; None: there are none.
        nominal: (d,) which features are categories: bool, each one by its code; or whole numbers, 0 for a quantity, columns
            that share a number above 0 being one category, one-hot. None: there are none.
    """

    index: np.ndarray
    Y: np.ndarray
    shared: Any = field(default=None, repr=False)
    synthetic: Any = field(default=None, repr=False)
    nominal: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.Y)

    @property
    def n_synthetic(self) -> int:
        """s, the number of synthesised rows."""
        return 0 if self.synthetic is None else int(self.synthetic.shape[0])

    @property
    def X(self) -> Any:
        """(m + s, d) features of all rows: a copy, for those who need distances."""
        if self.shared is None:
            raise ValueError("these rows have no features that can be averaged")
        own = self.shared[self.index]
        if self.synthetic is None:
            return own
        return _stacked(own, self.synthetic)

    def take(self, positions: np.ndarray) -> Rows:
        """These rows (0..m+s−1), in the given order, repeats allowed, synthesised ones moved to the end."""
        positions = np.asarray(positions, dtype=np.int64)
        real = positions[positions < len(self.index)]
        made = positions[positions >= len(self.index)]
        synthetic = None if self.synthetic is None else self.synthetic[made - len(self.index)]
        Y = self.Y[np.concatenate([real, made])]
        return replace(self, index=self.index[real], Y=Y, synthetic=synthetic)

    def repeat(self, positions: np.ndarray) -> Rows:
        """All rows, and once more each of these."""
        return self.take(np.concatenate([np.arange(len(self)), np.asarray(positions, dtype=np.int64)]))

    def relabel(self, Y: np.ndarray) -> Rows:
        """The same rows with other labels (m + s, L)."""
        return replace(self, Y=np.ascontiguousarray(Y, dtype=np.uint8))

    def add(self, X: Any, Y: np.ndarray) -> Rows:
        """All rows, and the synthesised ones with features X (s, d) and labels Y (s, L)."""
        made: Any = X if self.synthetic is None else _stacked(self.synthetic, X)
        kind = np.float32 if self.shared is None else self.shared.dtype
        plain = scipy.sparse.csr_matrix(made) if is_sparse(made) else np.asarray(made, dtype=kind)
        return replace(self, synthetic=plain, Y=np.vstack([self.Y, Y.astype(np.uint8)]))


def _stacked(*parts: Any) -> Any:
    """Rows below each other: CSR where they are sparse, else dense."""
    return scipy.sparse.vstack(parts, format="csr") if is_sparse(parts[0]) else np.vstack(parts)
