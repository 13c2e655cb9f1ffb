"""Embeddings of token ids, for each token or averaged over each text, for one lane or for many at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def look_up(table: Tensor, ids: Tensor) -> Tensor:
    """Embeddings (…, E) of token ids: a table (V, E) with ids (B, T), or a table (K, V, E) with ids (K, B, T)."""
    if table.dim() == 2:
        return F.embedding(ids, table)
    return F.embedding(_shifted(table, ids), table.reshape(-1, table.shape[2]))


def average(table: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
    """The mean embedding (…, B, E) of the first `lengths` (…, B) tokens of each text; the tokens after them are ignored.

    `table` and `ids` have the shapes of `look_up`. The embeddings of single tokens are never stored.
    """
    # A weighted sum: 1/length for each token of the text, 0 for padding.
    share = (~padding(ids, lengths)).to(table.dtype) / lengths[..., None]
    if table.dim() == 3:
        ids = _shifted(table, ids)
    rows = table.reshape(-1, table.shape[-1])
    longest = ids.shape[-1]
    means = F.embedding_bag(
        ids.reshape(-1, longest), rows, mode="sum", per_sample_weights=share.view(-1, longest)
    )
    return means.view(*lengths.shape, -1)


def padding(ids: Tensor, lengths: Tensor) -> Tensor:
    """(…, B, T) bool: True after the end of a text."""
    return torch.arange(ids.shape[-1], device=ids.device) >= lengths[..., None]


def _shifted(table: Tensor, ids: Tensor) -> Tensor:
    """Token ids (K, B, T) as row numbers of the tables of all lanes, stacked below each other."""
    lanes, words, _ = table.shape
    return ids + torch.arange(lanes, device=ids.device)[:, None, None] * words
