"""Rows of a table of embeddings for token ids: one by one, or averaged over each text; of one lane or of many at once."""

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
    """The mean embedding (…, B, E) of the first `lengths` (…, B) tokens of each text; what lies behind them counts nothing.

    Shapes of `table` and `ids` are those of `look_up`. The embeddings of single tokens are never held in memory.
    """
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
    """(…, B, T): True behind the end of a text."""
    return torch.arange(ids.shape[-1], device=ids.device) >= lengths[..., None]


def _shifted(table: Tensor, ids: Tensor) -> Tensor:
    """Ids into the tables of all lanes, one below the other."""
    lanes, words, _ = table.shape
    return ids + torch.arange(lanes, device=ids.device)[:, None, None] * words
