"""Features on the device, in three forms, each gathered for many lanes at once: dense, sparse, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from equipoise.engine.memory import lanes_like
from equipoise.engine.sparse import Bags, Stacked


@dataclass(frozen=True, eq=False)
class Dense:
    """(n, d) float32 features."""

    x: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def width(self) -> int:
        """d, the number of features."""
        return self.x.shape[1]

    def to(self, device: torch.device) -> Dense:
        return Dense(self.x.to(device))

    def gather(self, rows: Tensor) -> Tensor:
        """Rows (K, B) → (K, B, d)."""
        return self.x.index_select(0, rows.reshape(-1)).view(*rows.shape, self.width)

    def extended(self, more: Sequence[Any]) -> Dense:
        """With further rows (each (s, d)) at the end."""
        made = [torch.as_tensor(np.asarray(m, dtype=np.float32)) for m in more]
        return Dense(torch.cat([self.x, *(m.to(self.x.device) for m in made)]))


@dataclass(frozen=True, eq=False)
class Sparse:
    """n CSR rows of d float32 features; nothing here is ever made dense."""

    indptr: Tensor
    indices: Tensor
    values: Tensor
    width: int

    @classmethod
    def of(cls, x: sp.csr_matrix) -> Sparse:
        """From a SciPy CSR matrix (n, d)."""
        x = sp.csr_matrix(x, dtype=np.float32)
        x.sort_indices()
        indptr, indices = (torch.from_numpy(a.astype(np.int64)) for a in (x.indptr, x.indices))
        return cls(indptr, indices, torch.from_numpy(x.data), int(x.shape[1]))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def to(self, device: torch.device) -> Sparse:
        return Sparse(self.indptr.to(device), self.indices.to(device), self.values.to(device), self.width)

    def gather(self, rows: Tensor) -> Bags | Stacked:
        """Rows (K, B) → the entries of all of them, lane by lane."""
        if self.indptr.device.type == "cpu":
            return Bags.of(self.matrix, rows.numpy())
        return Stacked.of((self.indices, self.values, self.indptr), self.width, rows)

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """(n, d), on the CPU, over the same memory where that is there already."""
        parts = (self.values.cpu().numpy(), *(t.cpu().numpy() for t in (self.indices, self.indptr)))
        return sp.csr_matrix(parts, shape=(len(self), self.width))

    def extended(self, more: Sequence[Any]) -> Sparse:
        """With further rows (each (s, d) CSR) at the end."""
        device = self.indptr.device
        parts = [self, *(Sparse.of(m).to(device) for m in more)]
        indptr, end = [self.indptr[:1]], 0
        for part in parts:
            indptr.append(part.indptr[1:] + end)
            end += len(part.values)
        joined = (torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts]))
        return Sparse(torch.cat(indptr), *joined, self.width)


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """(…, B, T) token ids, 0 where there is none, and (…, B) lengths."""

    ids: Tensor
    lengths: Tensor

    def __getitem__(self, lane: int) -> TokenBatch:
        return TokenBatch(self.ids[lane], self.lengths[lane])


@dataclass(frozen=True, eq=False)
class Tokens:
    """(n, T) token ids padded with 0 at the end, and (n,) lengths (at least 1)."""

    ids: Tensor
    lengths: Tensor
    width: int

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Tokens:
        return Tokens(self.ids.to(device), self.lengths.to(device), self.width)

    def gather(self, rows: Tensor) -> TokenBatch:
        """Rows (K, B) → ids (K, B, T) and lengths (K, B)."""
        return TokenBatch(self.ids[rows], self.lengths[rows])

    def extended(self, more: Sequence[Any]) -> Tokens:
        raise ValueError("token sequences cannot be synthesised")


Inputs: TypeAlias = Dense | Sparse | Tokens


def affine(x: Tensor | Bags | Stacked, weight: Tensor, bias: Tensor) -> Tensor:
    """x·W + b for K lanes at once: weight (K, d, h), bias (K, 1, h) → (K, B, h)."""
    if isinstance(x, Tensor):
        dense: Any = _Product.apply
        product: Tensor = dense(x, weight)
        return product.add_(bias)
    return x.times(weight).add_(bias)


class _Product(torch.autograd.Function):
    """x·W for K lanes; the gradient of W is written to aligned lanes (see `memory`)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.bmm(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        to_x = torch.bmm(grad, weight.transpose(1, 2)) if ctx.needs_input_grad[0] else None
        to_weight = lanes_like(len(weight), weight.shape[1:], weight.device, zero=False)
        return to_x, torch.bmm(x.transpose(1, 2), grad, out=to_weight)
