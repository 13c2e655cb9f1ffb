"""Sparse rows times the weights of many lanes; nothing here is ever made dense.

On CPU (`EmbeddingBags`) one lane after the other: its weights stay in the processor's cache, its bits cannot depend on the
lanes beside it, and lanes that drew the same rows share what was gathered. On CUDA (`Stacked`) all lanes in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from equipoise.ops.gradients import GradientBuffer, gradient_buffer

#: Indices, values and offsets: the entries of bag r are those from offsets[r] to offsets[r + 1].
Entries: TypeAlias = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Some batches of B rows, one after the other, gathered at once; and the same turned round at once."""

    rows: sp.csr_matrix
    batch: int

    def by_row(self, u: int) -> Entries:
        """Batch u as bags of features."""
        return _part(self.rows, u * self.batch, self.batch)

    def by_feature(self, u: int) -> Entries:
        """Batch u as bags of its rows, 0 to B − 1."""
        return _part(self._turned, u * self.rows.shape[1], self.rows.shape[1])

    @cached_property
    def _turned(self) -> Any:
        """A row for each feature of the first batch, of the second, …"""
        (count, width), ends = self.rows.shape, self.rows.indptr[:: self.batch]
        number, entries = np.arange(count // self.batch), np.diff(ends)
        indices = self.rows.indices + np.repeat((number * width).astype(self.rows.indices.dtype), entries)
        shape = (count, len(number) * width)
        turned = sp.csr_matrix((self.rows.data, indices, self.rows.indptr), shape=shape).tocsc()
        turned.indices -= np.repeat((number * self.batch).astype(turned.indices.dtype), entries)
        return turned


@dataclass(frozen=True, eq=False)
class EmbeddingBags:
    """The rows of K lanes on CPU: lane k's are those of batch which[k]; lanes that drew the same rows share them."""

    gathered: Gathered
    which: Sequence[int]

    @classmethod
    def of(cls, matrix: sp.csr_matrix, rows: np.ndarray) -> EmbeddingBags:
        """Gather rows (K, B) of a matrix (n, d)."""
        known: dict[bytes, int] = {}
        which = [known.setdefault(own.tobytes(), len(known)) for own in rows]
        distinct = np.frombuffer(b"".join(known), dtype=rows.dtype)
        return cls(Gathered(matrix[distinct], rows.shape[1]), which)

    def product(self, k: int, weight: Tensor) -> Tensor:
        """Lane k's x·W: weight (d, h) → (B, h)."""
        return _sum(weight, self.gathered.by_row(self.which[k]))

    def times(self, weight: Tensor) -> Tensor:
        """x·W: weight (K, d, h) → (K, B, h)."""
        product: Any = _BagProducts.apply
        if (at := gradient_buffer(weight)) is not None:
            at.apart = True
        out: Tensor = product(self, weight, at)
        return out


class _BagProducts(torch.autograd.Function):
    """EmbeddingBags of features sum rows of W; for the gradient, bags of rows sum rows of what comes back.

    Gradients are as large as the weights. One is made when the optimizer asks for it, and is gone before the next.
    """

    @staticmethod
    def forward(ctx: Any, x: EmbeddingBags, weight: Tensor, at: GradientBuffer | None) -> Tensor:
        ctx.x, ctx.at = x, at
        if at is not None and at.ahead is not None:
            (rows, products), at.ahead = at.ahead, None
            if rows is x:
                return torch.stack(products)
        return torch.stack([x.product(k, own) for k, own in enumerate(weight)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, None]:
        own, x = grad.contiguous(), ctx.x

        def of_lane(k: int) -> Tensor:
            return _sum(own[k], x.gathered.by_feature(x.which[k]))

        if ctx.at is None:
            return None, torch.stack([of_lane(k) for k in range(len(own))]), None
        ctx.at.tell(of_lane)
        return None, None, None


def ahead_of(x: EmbeddingBags, parameters: Sequence[GradientBuffer]) -> Callable[[int], None]:
    """`multiply(k)`, to be called for one lane after the other as soon as its parameters are updated.

    It multiplies them by the rows of the next step, which then takes the product as it is. Right after the update they
    are in the processor's cache; by the next step, those of the other lanes have displaced them.
    """
    for at in parameters:
        at.ahead = (x, [])

    def multiply(k: int) -> None:
        for at in parameters:
            if at.ahead is not None:
                at.ahead[1].append(x.product(k, at.wide[k]))

    return multiply


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


def _part(matrix: Any, start: int, count: int) -> Entries:
    """Some rows (of a CSR matrix; columns of a CSC one) as bags."""
    ends = matrix.indptr[start : start + count + 1]
    here = slice(ends[0], ends[-1])
    parts = (matrix.indices[here], matrix.data[here], ends - ends[0])
    indices, values, offsets = (torch.from_numpy(part) for part in parts)
    return indices, values, offsets


def _sum(table: Tensor, entries: Entries) -> Tensor:
    """Each bag's sum of value × row of the table."""
    indices, values, offsets = entries
    frozen = table if torch.is_grad_enabled() else table.detach()
    bags: Any = torch.embedding_bag
    out: Tensor = bags(frozen, indices, offsets, False, 0, False, values, True)[0]
    return out
