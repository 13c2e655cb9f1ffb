"""Features on a device in three forms, dense, sparse and tokens, from which batches of many lanes are gathered at once."""

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
    """(n, d) float32 features.

    Attributes:
        x: the features, padded by `of` with columns of zeros to a multiple of eight, for which products are faster.
        d: the number of features without padding; None if there is no padding.
    """

    x: Tensor
    d: int | None = None

    @classmethod
    def of(cls, x: np.ndarray) -> Dense:
        """From an array (n, d)."""
        # Not a single column: a weight of one row is not padded either, see `parameters.wide`.
        columns = eightfold(x.shape[1]) if x.shape[1] > 1 else x.shape[1]
        wide = np.zeros((len(x), columns), dtype=np.float32)
        wide[:, : x.shape[1]] = x
        return cls(torch.from_numpy(wide), x.shape[1])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def width(self) -> int:
        """d, the number of features."""
        return self.x.shape[1] if self.d is None else self.d

    @cached_property
    def plain(self) -> Dense:
        """The same features without padding, for backbones that write `x @ weight`."""
        return self if self.width == self.x.shape[1] else Dense(self.x[:, : self.width].contiguous())

    def array(self) -> np.ndarray:
        """(n, d), on the CPU."""
        return self.x[:, : self.width].cpu().numpy()

    def to(self, device: torch.device) -> Dense:
        return Dense(self.x.to(device), self.d)

    def gather(self, rows: Tensor, workspace: Workspace | None = None) -> Tensor:
        """The features (K, B, d) of rows (K, B), padding included; in memory of the workspace, if there is one."""
        shape = (*rows.shape, self.x.shape[1])
        out = None if workspace is None else workspace.take("x", shape, self.x.dtype, self.x.device)
        flat = None if out is None else out.view(-1, shape[-1])
        return torch.index_select(self.x, 0, rows.reshape(-1), out=flat).view(shape)

    def extended(self, more: Sequence[Any]) -> Dense:
        """These features with more rows (each (s, d)) at the end."""
        rows = [torch.as_tensor(np.asarray(m, dtype=np.float32)) for m in more]
        wide = [torch.nn.functional.pad(m, (0, self.x.shape[1] - m.shape[1])) for m in rows]
        return Dense(torch.cat([self.x, *(m.to(self.x.device) for m in wide)]), self.d)

    def followed_by(self, other: Dense) -> Dense:
        """These rows, and behind them the rows of other inputs of the same width."""
        return Dense(torch.cat([self.x, other.x.to(self.x.device)]), self.d)


@dataclass(frozen=True, eq=False)
class Sparse:
    """(n, d) float32 features as CSR rows, which are never made dense."""

    indptr: Tensor
    indices: Tensor
    values: Tensor
    width: int

    @classmethod
    def of(cls, x: sp.csr_matrix) -> Sparse:
        """From a SciPy CSR matrix (n, d)."""
        x = sp.csr_matrix(x, dtype=np.float32)
        # Sums run in the order of the entries, so that order must not depend on how the matrix was built.
        x.sort_indices()
        indptr, indices = (torch.from_numpy(a.astype(np.int64)) for a in (x.indptr, x.indices))
        return cls(indptr, indices, torch.from_numpy(x.data), int(x.shape[1]))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def to(self, device: torch.device) -> Sparse:
        return Sparse(self.indptr.to(device), self.indices.to(device), self.values.to(device), self.width)

    def gather(
        self, rows: Tensor, workspace: Workspace | None = None, capacity: int | None = None
    ) -> EmbeddingBags | Stacked:
        """The entries of rows (K, B), lane by lane; on devices other than the CPU with a `capacity`, see `Stacked.of`."""
        if self.indptr.device.type == "cpu":
            return EmbeddingBags.of(self.matrix, rows.numpy())
        return Stacked.of((self.indices, self.values, self.indptr), self.width, rows, capacity)

    def most_entries(self, rows: Tensor) -> int:
        """The largest number of entries that a step has, of rows (K, S, B)."""
        return int((self.indptr[rows + 1] - self.indptr[rows]).sum((0, 2)).max())

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """The features as a SciPy CSR matrix (n, d), on the CPU."""
        # 32 bits halve the memory of the indices and make gathering faster.
        index_type = np.int32 if max(len(self.values), self.width) < 2**31 else np.int64
        indices = (t.cpu().numpy().astype(index_type) for t in (self.indices, self.indptr))
        parts = (self.values.cpu().numpy(), *indices)
        return sp.csr_matrix(parts, shape=(len(self), self.width))

    def extended(self, more: Sequence[Any]) -> Sparse:
        """These features with more rows (each (s, d) CSR) at the end."""
        device = self.indptr.device
        return self._joined([self, *(Sparse.of(m).to(device) for m in more)])

    def followed_by(self, other: Sparse) -> Sparse:
        """These rows, and behind them the rows of other inputs of the same width."""
        return self._joined([self, other.to(self.indptr.device)])

    def _joined(self, parts: Sequence[Sparse]) -> Sparse:
        indptr, end = [self.indptr[:1]], 0
        for part in parts:
            indptr.append(part.indptr[1:] + end)
            end += len(part.values)
        joined = (torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts]))
        return Sparse(torch.cat(indptr), *joined, self.width)


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """Token ids (…, B, T), 0 for padding, lengths (…, B), and the pretrained vectors of `Tokens`.

    This is what a backbone gets as `x` if its features are `TokenIds`: ids (B, T) and lengths (B,), or with a leading K if it is
    batched. T is the longest text of the data set, so most rows end with padding, which must not influence the logits.
    """

    ids: Tensor
    lengths: Tensor
    vectors: Tensor | None = None

    def __getitem__(self, lane: int) -> TokenBatch:
        return TokenBatch(self.ids[lane], self.lengths[lane], self.vectors)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Token ids (n, T), padded with 0 at the end, and lengths (n,), at least 1.

    Attributes:
        width: the number of different ids.
        vectors: (width, E) pretrained embeddings of the tokens, which all lanes share; None if there are none.
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
        """The ids (K, B, T) and lengths (K, B) of rows (K, B)."""
        return TokenBatch(self.ids[rows], self.lengths[rows], self.vectors)

    def followed_by(self, other: Tokens) -> Tokens:
        """These rows, and behind them the rows of other inputs with the same vocabulary; shorter ones are padded."""
        longest = max(self.ids.shape[1], other.ids.shape[1])
        pad, device = torch.nn.functional.pad, self.ids.device
        ids = [pad(part.ids.to(device), (0, longest - part.ids.shape[1])) for part in (self, other)]
        lengths = torch.cat([self.lengths, other.lengths.to(device)])
        return Tokens(torch.cat(ids), lengths, self.width, self.vectors)

    def extended(self, more: Sequence[Any]) -> Tokens:
        raise ValueError("token sequences cannot be synthesised")


Inputs: TypeAlias = Dense | Sparse | Tokens


def fed_to(inputs: Inputs, batched: bool) -> Inputs:
    """The inputs as a backbone gets them: dense rows are padded only for a batched one, whose `affine` takes padded rows."""
    return inputs.plain if isinstance(inputs, Dense) and not batched else inputs
