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

from equipoise.ops.buffers import Workspace
from equipoise.ops.parameters import eightfold
from equipoise.ops.sparse import EmbeddingBags, Stacked


@dataclass(frozen=True, eq=False)
class Dense:
    """(n, d) float32 features, with columns of zeros up to a multiple of eight where `of` made them."""

    x: Tensor
    d: int | None = None

    @classmethod
    def of(cls, x: np.ndarray) -> Dense:
        """From an array (n, d)."""
        wide = np.zeros((len(x), eightfold(x.shape[1])), dtype=np.float32)
        wide[:, : x.shape[1]] = x
        return cls(torch.from_numpy(wide), x.shape[1])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def width(self) -> int:
        """d, the number of features."""
        return self.x.shape[1] if self.d is None else self.d

    def array(self) -> np.ndarray:
        """(n, d), on the CPU."""
        return self.x[:, : self.width].cpu().numpy()

    def to(self, device: torch.device) -> Dense:
        return Dense(self.x.to(device), self.d)

    def gather(self, rows: Tensor, workspace: Workspace | None = None) -> Tensor:
        """Rows (K, B) → (K, B, d), with the columns of zeros; in memory of `scratch`, if there is one."""
        shape = (*rows.shape, self.x.shape[1])
        out = None if workspace is None else workspace.take("x", shape, self.x.dtype, self.x.device)
        flat = None if out is None else out.view(-1, shape[-1])
        return torch.index_select(self.x, 0, rows.reshape(-1), out=flat).view(shape)

    def extended(self, more: Sequence[Any]) -> Dense:
        """With further rows (each (s, d)) at the end."""
        made = [torch.as_tensor(np.asarray(m, dtype=np.float32)) for m in more]
        wide = [torch.nn.functional.pad(m, (0, self.x.shape[1] - m.shape[1])) for m in made]
        return Dense(torch.cat([self.x, *(m.to(self.x.device) for m in wide)]), self.d)


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

    def gather(self, rows: Tensor, workspace: Workspace | None = None) -> EmbeddingBags | Stacked:
        """Rows (K, B) → the entries of all of them, lane by lane."""
        if self.indptr.device.type == "cpu":
            return EmbeddingBags.of(self.matrix, rows.numpy())
        return Stacked.of((self.indices, self.values, self.indptr), self.width, rows)

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """(n, d), on the CPU; indices of 32 bits where they suffice."""
        small = np.int32 if max(len(self.values), self.width) < 2**31 else np.int64
        places = (t.cpu().numpy().astype(small) for t in (self.indices, self.indptr))
        parts = (self.values.cpu().numpy(), *places)
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
    """(…, B, T) token ids, 0 where there is none, (…, B) lengths, and the pretrained vectors of `Tokens`."""

    ids: Tensor
    lengths: Tensor
    vectors: Tensor | None = None

    def __getitem__(self, lane: int) -> TokenBatch:
        return TokenBatch(self.ids[lane], self.lengths[lane], self.vectors)


@dataclass(frozen=True, eq=False)
class Tokens:
    """(n, T) token ids padded with 0 at the end, and (n,) lengths (at least 1).

    `vectors` (width, E), if there are any, are pretrained embeddings of the tokens, which all lanes share.
    """

    ids: Tensor
    lengths: Tensor
    width: int
    vectors: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Tokens:
        vectors = None if self.vectors is None else self.vectors.to(device)
        return Tokens(self.ids.to(device), self.lengths.to(device), self.width, vectors)

    def gather(self, rows: Tensor, workspace: Workspace | None = None) -> TokenBatch:
        """Rows (K, B) → ids (K, B, T) and lengths (K, B)."""
        return TokenBatch(self.ids[rows], self.lengths[rows], self.vectors)

    def extended(self, more: Sequence[Any]) -> Tokens:
        raise ValueError("token sequences cannot be synthesised")


Inputs: TypeAlias = Dense | Sparse | Tokens
