"""Sparse rows times the weights of many lanes; nothing here is ever made dense.

On CPU (`Bags`) one lane after the other: its weights stay in the processor's cache, its bits cannot depend on the lanes beside
it, and lanes that drew the same rows share what was gathered. On CUDA (`Stacked`) all lanes in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from equipoise.engine.gradient import Home, home

#: Indices, values and offsets: the entries of bag r are those from offsets[r] to offsets[r + 1].
Entries: TypeAlias = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Batch:
    """B gathered rows of d features, as bags of features; `transposed`, as bags of rows."""

    rows: sp.csr_matrix

    @cached_property
    def by_row(self) -> Entries:
        return _entries(self.rows)

    @cached_property
    def by_feature(self) -> Entries:
        return _entries(self.rows.tocsc())


@dataclass(frozen=True, eq=False)
class Bags:
    """The rows of K lanes on CPU: lane k's are batches[k]; equal ones are the same object."""

    batches: Sequence[Batch]

    @classmethod
    def of(cls, matrix: sp.csr_matrix, rows: np.ndarray) -> Bags:
        """Gather rows (K, B) of a matrix (n, d)."""
        known: dict[bytes, Batch] = {}
        for own in rows:
            if (key := own.tobytes()) not in known:
                known[key] = Batch(matrix[own])
        return cls([known[own.tobytes()] for own in rows])

    def times(self, weight: Tensor) -> Tensor:
        """x·W: weight (K, d, h) → (K, B, h)."""
        product: Any = _BagProducts.apply
        out: Tensor = product(self, weight, home(weight))
        return out


class _BagProducts(torch.autograd.Function):
    """Bags of features sum rows of W; for the gradient, bags of rows sum rows of what comes back.

    Gradients are as large as the weights. One is made when the optimizer asks for it, and is gone before the next.
    """

    @staticmethod
    def forward(ctx: Any, x: Bags, weight: Tensor, at: Home | None) -> Tensor:
        ctx.batches, ctx.at = x.batches, at
        return torch.stack([_sum(w, b.by_row) for w, b in zip(weight.unbind(0), x.batches, strict=True)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, None]:
        own, batches = grad.contiguous().unbind(0), ctx.batches
        if ctx.at is None:
            return None, torch.stack([_sum(g, b.by_feature) for g, b in zip(own, batches, strict=True)]), None
        ctx.at.tell(lambda k: _sum(own[k], batches[k].by_feature))
        return None, None, None


@dataclass(frozen=True, eq=False)
class Stacked:
    """The rows of K lanes: the entries of row r are indices[offsets[r]:offsets[r + 1]].

    The indices of lane k are shifted by k·d, so that they point into the stacked weights of all lanes.
    """

    indices: Tensor
    values: Tensor
    offsets: Tensor
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, entries: Entries, width: int, rows: Tensor) -> Stacked:
        """Gather rows (K, B) of a matrix (n, d) whose rows are bags."""
        indices, values, indptr = entries
        lanes, batch = rows.shape
        flat = rows.reshape(-1)
        start = indptr[flat]
        length = indptr[flat + 1] - start
        offsets = torch.zeros(len(flat) + 1, dtype=torch.long, device=flat.device)
        torch.cumsum(length, 0, out=offsets[1:])
        entry = torch.arange(int(offsets[-1]), device=flat.device)
        entry += torch.repeat_interleave(start - offsets[:-1], length)
        shift = torch.arange(lanes, device=flat.device).repeat_interleave(batch) * width
        shifted = indices[entry] + torch.repeat_interleave(shift, length)
        return cls(shifted, values[entry], offsets, (lanes, batch, width))

    def times(self, weight: Tensor) -> Tensor:
        """x·W: weight (K, d, h) → (K, B, h)."""
        lanes, batch, width = self.shape
        flat = weight.reshape(lanes * width, -1)
        return _sum(flat, (self.indices, self.values, self.offsets)).view(lanes, batch, -1)


def _entries(matrix: Any) -> Entries:
    parts = (matrix.indices, matrix.data, matrix.indptr)
    indices, values, offsets = (torch.from_numpy(part) for part in parts)
    return indices, values, offsets


def _sum(table: Tensor, entries: Entries) -> Tensor:
    """Each bag's sum of value × row of the table."""
    indices, values, offsets = entries
    frozen = table if torch.is_grad_enabled() else table.detach()
    bags: Any = torch.embedding_bag
    out: Tensor = bags(frozen, indices, offsets, False, 0, False, values, True)[0]
    return out
