"""Mixed precision: matrix products in bfloat16, everything else (parameters, sums, losses, the optimizer) in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

FLOAT32 = "float32"


def products_in(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Within the block, products are computed in "float32" or "bfloat16" (by PyTorch's autocast)."""
    if precision == FLOAT32:
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def for_products(x: Tensor) -> Tensor:
    """x in the precision of the surrounding `products_in` block; autocast does not reach into our own autograd functions."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
