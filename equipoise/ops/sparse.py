"""Products of sparse rows with the weights of many lanes, without ever making the rows dense.

On CPU (`EmbeddingBags`), lanes are computed one after the other: a lane's weights stay in the processor's cache, its bits cannot
depend on other lanes, and lanes that drew the same rows share the gathered entries. On CUDA (`Stacked`), all lanes are computed
in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from equipoise.ops.chain import apply
from equipoise.ops.gradients import GradientBuffer, gradient_buffer

#: Indices, values and offsets of bags. The entries of bag r are those from offsets[r] to offsets[r + 1].
Entries: TypeAlias = tuple[Tensor, Tensor, Tensor]
#: Batches that are transposed in one call; of more, the ends of all columns leave the processor's cache.
_TOGETHER = 8


@dataclass(frozen=True, eq=False)
class Gathered:
    """The rows of several batches of B rows each, gathered at once, and their transposes."""

    rows: sp.csr_matrix
    batch: int
    _transposed: dict[int, Any] = field(default_factory=dict)

    def by_row(self, u: int) -> Entries:
        """Batch u as B bags, each with the features of a row."""
        return _part(self.rows, u * self.batch, self.batch)

    def by_feature(self, u: int) -> Entries:
        """Batch u as d bags, each with the rows (0 to B − 1) that have a feature."""
        block = u // _TOGETHER
        if block not in self._transposed:
            self._transposed[block] = self._transpose(block * _TOGETHER * self.batch)
        return _part(self._transposed[block], u % _TOGETHER * self.rows.shape[1], self.rows.shape[1])

    def _transpose(self, first: int) -> Any:
        """The transposes of some batches from a row on, below each other: a row for each feature of the first, the second, …"""
        # Converted to columns at once: the indices of batch u are shifted by u·d, and its row numbers back by u·B.
        width, indptr = self.rows.shape[1], self.rows.indptr[first : first + _TOGETHER * self.batch + 1]
        count, span = len(indptr) - 1, slice(indptr[0], indptr[-1])
        number, entries = np.arange(count // self.batch), np.diff(indptr[:: self.batch])
        indices = self.rows.indices[span] + np.repeat((number * width).astype(indptr.dtype), entries)
        parts = (self.rows.data[span], indices, indptr - indptr[0])
        transposed = sp.csr_matrix(parts, shape=(count, len(number) * width)).tocsc()
        transposed.indices -= np.repeat((number * self.batch).astype(transposed.indices.dtype), entries)
        return transposed


class SparseBatch:
    """Sparse rows of K lanes, (K, B, d): what a batched backbone gets as `x` for TF-IDF texts and sparse tables.

    `x @ weight` with a weight (K, d, h) is (K, B, h), as is `affine(x, weight, bias)`. The rows are never made dense.
    """

    def times(self, weight: Tensor) -> Tensor:
        """The product x·W, (K, B, h), with a weight (K, d, h)."""
        raise NotImplementedError

    def __matmul__(self, weight: Tensor) -> Tensor:
        return self.times(weight)

    def lane(self, k: int) -> SparseBatch:
        """The rows of one lane, (1, B, d)."""
        raise NotImplementedError

    def __getitem__(self, lane: int) -> SparseRows:
        return SparseRows(self.lane(lane))


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Sparse rows (B, d) of one lane: what a backbone that is not batched gets as `x` for TF-IDF texts and sparse tables.

    `x @ weight` with a weight (d, h) is (B, h); `torch.matmul`, `torch.mm` and `torch.nn.functional.linear` do the same. No
    other operation takes these rows.
    """

    rows: SparseBatch

    def __matmul__(self, weight: Tensor) -> Tensor:
        return self.rows.times(weight[None])[0]

    @classmethod
    def __torch_function__(
        cls, operation: Any, types: Sequence[type], arguments: Any = (), named: Any = None
    ) -> Tensor:
        if operation in (torch.matmul, torch.mm) and isinstance(arguments[0], cls):
            return arguments[0] @ arguments[1]
        if operation is torch.nn.functional.linear and isinstance(arguments[0], cls):
            return _linear(*arguments, **(named or {}))
        name = getattr(operation, "__name__", str(operation))
        raise TypeError(f"x holds sparse rows, which torch.{name} does not take: write x @ weight")


def _linear(x: SparseRows, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x·Wᵀ + b with a weight (h, d), as `torch.nn.functional.linear` computes it."""
    out = x @ weight.t()
    return out if bias is None else out + bias


@dataclass(frozen=True, eq=False)
class EmbeddingBags(SparseBatch):
    """The rows of K lanes on CPU. Lane k has those of batch which[k]; lanes that drew the same rows share a batch."""

    gathered: Gathered
    which: Sequence[int]

    @classmethod
    def of(cls, matrix: sp.csr_matrix, rows: np.ndarray) -> EmbeddingBags:
        """Gather rows (K, B) of a matrix (n, d)."""
        known: dict[bytes, int] = {}
        which = [known.setdefault(lane_rows.tobytes(), len(known)) for lane_rows in rows]
        distinct = np.frombuffer(b"".join(known), dtype=rows.dtype)
        return cls(Gathered(matrix[distinct], rows.shape[1]), which)

    def steps(self, count: int) -> list[EmbeddingBags]:
        """Of the rows of several steps, one after the other, those of each."""
        lanes = len(self.which) // count
        return [EmbeddingBags(self.gathered, self.which[s * lanes : (s + 1) * lanes]) for s in range(count)]

    def lane(self, k: int) -> EmbeddingBags:
        return EmbeddingBags(self.gathered, [self.which[k]])

    def product(self, k: int, weight: Tensor) -> Tensor:
        """Lane k's x·W: weight (d, h) → (B, h)."""
        return _sum(weight, self.gathered.by_row(self.which[k]))

    def times(self, weight: Tensor) -> Tensor:
        if (buffer := gradient_buffer(weight)) is not None:
            buffer.apart = True
        out: Tensor = apply(_BagProducts, self, weight, buffer)
        return out


class _BagProducts(torch.autograd.Function):
    """Forward, each bag of features sums rows of W; backward, each bag of rows sums rows of the incoming gradient.

    Gradients are as large as the weights. So each lane's is computed only when the optimizer asks for it, and is freed before
    the next one.
    """

    @staticmethod
    def forward(ctx: Any, x: EmbeddingBags, weight: Tensor, buffer: GradientBuffer | None) -> Tensor:
        ctx.x, ctx.buffer = x, buffer
        if buffer is not None and buffer.ahead is not None:
            # The products of these rows may have been computed at the end of the last step, see `ahead_of`.
            (rows, products), buffer.ahead = buffer.ahead, None
            if rows is x:
                return torch.stack(products)
        return torch.stack([x.product(k, own) for k, own in enumerate(weight)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, None]:
        grads, x = grad.contiguous(), ctx.x

        def of_lane(k: int) -> Tensor:
            return _sum(grads[k], x.gathered.by_feature(x.which[k]))

        if ctx.buffer is None:
            return None, torch.stack([of_lane(k) for k in range(len(grads))]), None
        ctx.buffer.tell(of_lane)
        return None, None, None


def ahead_of(x: EmbeddingBags, parameters: Sequence[GradientBuffer]) -> Callable[[int], None]:
    """`multiply(k)`, to be called for one lane after the other as soon as its parameters are updated.

    It multiplies them by the rows of the next step, which then takes the product as it is. Right after the update they
    are in the processor's cache; by the next step, those of the other lanes have displaced them.
    """
    for buffer in parameters:
        buffer.ahead = (x, [])

    def multiply(k: int) -> None:
        for buffer in parameters:
            if buffer.ahead is not None:
                buffer.ahead[1].append(x.product(k, buffer.wide[k]))

    return multiply


@dataclass(frozen=True, eq=False)
class Stacked(SparseBatch):
    """The rows of K lanes on CUDA. The entries of row r are indices[offsets[r]:offsets[r + 1]].

    The indices of lane k are shifted by k·d, so that they point into the weights of all lanes, stacked below each other.
    """

    indices: Tensor
    values: Tensor
    offsets: Tensor
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, entries: Entries, width: int, rows: Tensor, capacity: int | None = None) -> Stacked:
        """Gather rows (K, B) of a matrix (n, d) whose rows are bags.

        Args:
            capacity: the number of entries to make, at least as many as the rows have; those behind them have the value 0 and
                belong to the last row. Then sizes do not depend on the rows, and the host need not wait to know them.
        """
        indices, values, indptr = entries
        lanes, batch = rows.shape
        flat = rows.reshape(-1)
        start = indptr[flat]
        length = indptr[flat + 1] - start
        offsets = torch.zeros(len(flat) + 1, dtype=torch.long, device=flat.device)
        torch.cumsum(length, 0, out=offsets[1:])
        count = int(offsets[-1]) if capacity is None else capacity
        position, total = torch.arange(count, device=flat.device), offsets[-1:].clone()
        offsets[-1:] = count
        # The row of every entry, and from it the position in the matrix.
        row = torch.repeat_interleave(offsets.diff(), output_size=count)
        entry = (position + (start - offsets[:-1])[row]).clamp_(max=max(len(values) - 1, 0))
        shifted = indices[entry] + row // batch * width
        return cls(shifted, values[entry] * (position < total), offsets, (lanes, batch, width))

    def lane(self, k: int) -> Stacked:
        _, batch, width = self.shape
        begin, end = (int(self.offsets[row * batch]) for row in (k, k + 1))
        offsets = self.offsets[k * batch : (k + 1) * batch + 1] - begin
        return Stacked(
            self.indices[begin:end] - k * width, self.values[begin:end], offsets, (1, batch, width)
        )

    def times(self, weight: Tensor) -> Tensor:
        lanes, batch, width = self.shape
        flat = weight.reshape(lanes * width, -1)
        return _sum(flat, (self.indices, self.values, self.offsets)).view(lanes, batch, -1)


def _part(matrix: Any, start: int, count: int) -> Entries:
    """Some rows of a CSR matrix, or columns of a CSC matrix, as bags."""
    ends = matrix.indptr[start : start + count + 1]
    span = slice(ends[0], ends[-1])
    parts = (matrix.indices[span], matrix.data[span], ends - ends[0])
    indices, values, offsets = (torch.from_numpy(part) for part in parts)
    return indices, values, offsets


def _sum(table: Tensor, entries: Entries) -> Tensor:
    """For each bag, the sum of value × row of the table over its entries."""
    indices, values, offsets = entries
    # Where no gradient is needed (as within `forward`), PyTorch must not prepare one.
    frozen = table if torch.is_grad_enabled() else table.detach()
    bags: Any = torch.embedding_bag
    out: Tensor = bags(frozen, indices, offsets, False, 0, False, values, True)[0]
    return out
