"""Mixed precision: matrix products in bfloat16, everything else (parameters, sums, losses, optimizer) in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

FLOAT32 = "float32"


def products_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Products inside are computed in "float32" or "bfloat16": PyTorch's autocast for the latter."""
    if precision == FLOAT32:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def for_products(x: Tensor) -> Tensor:
    """x, in the precision that is asked for here."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
