"""One-dimensional convolutions over texts and the maximum over time, of one lane or of many at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def max_over_time(x: Tensor, weight: Tensor, lengths: Tensor) -> Tensor:
    """The largest value (…, B, F) that F filters take on the windows of a text.

    Windows lie wholly inside their text. A text shorter than a window has one, with zeros behind its end, so that neither
    padding nor longer texts in the batch change a value.

    Args:
        x: (…, B, T, E) embeddings, zeros behind the end of each text. weight: (…, F, E, width). lengths: (…, B), at least 1.
            A leading K, if there is one, numbers lanes.
    """
    width = weight.shape[-1]
    short = max(width - x.shape[-2], 0)
    values = _convolved(F.pad(x, (0, 0, 0, short)) if short else x, weight)
    start = torch.arange(values.shape[-1], device=x.device)
    outside = start > (lengths - width).clamp(min=0)[..., None]
    return values.masked_fill(outside[..., None, :], -torch.inf).amax(-1)


def _convolved(x: Tensor, weight: Tensor) -> Tensor:
    """(…, B, F, T − width + 1); lanes as groups of channels."""
    if x.dim() == 3:
        return F.conv1d(x.transpose(1, 2), weight)
    lanes, batch, steps, size = x.shape
    channels = x.permute(1, 0, 3, 2).reshape(batch, lanes * size, steps)
    values = F.conv1d(channels, weight.flatten(0, 1), groups=lanes)
    return values.unflatten(1, (lanes, -1)).transpose(0, 1)
