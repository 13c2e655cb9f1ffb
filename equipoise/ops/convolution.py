"""One-dimensional convolutions over texts and the maximum over time, for one lane or for many at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def max_over_time(x: Tensor, weight: Tensor, lengths: Tensor) -> Tensor:
    """The largest value (…, B, F) that each of F filters takes on the windows of a text.

    Windows lie inside their text. A text shorter than a window has one window, filled with zeros after its end. So neither
    padding nor longer texts in the batch change a value.

    Args:
        x: (…, B, T, E) embeddings, zeros after the end of each text. weight: (…, F, E, width). lengths: (…, B), at least 1.
            The leading dimension …, if there is one, is K lanes.
    """
    width = weight.shape[-1]
    # The longest text of the batch may be shorter than a window.
    missing = max(width - x.shape[-2], 0)
    values = _convolved(F.pad(x, (0, 0, 0, missing)) if missing else x, weight)
    start = torch.arange(values.shape[-1], device=x.device)
    outside = start > (lengths - width).clamp(min=0)[..., None]
    return values.masked_fill(outside[..., None, :], -torch.inf).amax(-1)


def _convolved(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution of embeddings with filters, (…, B, F, T − width + 1)."""
    if x.dim() == 3:
        return F.conv1d(x.transpose(1, 2), weight)
    # The channels of K lanes side by side, as K groups: one call computes each lane with its own filters.
    lanes, batch, steps, size = x.shape
    channels = x.permute(1, 0, 3, 2).reshape(batch, lanes * size, steps)
    values = F.conv1d(channels, weight.flatten(0, 1), groups=lanes)
    return values.unflatten(1, (lanes, -1)).transpose(0, 1)
