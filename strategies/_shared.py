"""Functions that several losses share. The leading underscore keeps the registry from looking for strategies here.

A lane's loss must have the same bits whatever else is trained alongside it. Vectorised kernels process the last few elements
of a tensor with different instructions from the rest, and a power, sigmoid or softplus computed that way can differ in its
last bit (measured: 1 to 9 % of the elements of a (32, 7) tensor; logarithm and exponential never differed). Such functions of
label statistics are therefore evaluated on a block whose size is a multiple of 32 (`per_label`), never on (L,) or on a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

#: Number of rows to which label statistics are repeated before a function is applied: a multiple of any vector width.
BLOCK = 32


def wide(x: Tensor) -> Tensor:
    """x itself, or x as float32 if it has half precision."""
    # Sums of exponentials overflow in float16, whose largest number is 65504.
    return x.float() if x.element_size() < 4 else x


def per_label(function: Callable[[Tensor], Tensor], n: Tensor) -> Tensor:
    """An element-wise function of a label statistic n, with bits that do not depend on where n lies in memory.

    Args:
        n: (L,) for one lane, or (K, 1, L) for K lanes; the result has the same shape.
    """
    # All rows of the block are equal, so any of them is the answer; only the size of the block matters.
    if n.dim() == 1:
        return function(n.expand(BLOCK, -1).contiguous())[0]
    return function(n.expand(*n.shape[:-2], BLOCK, -1).contiguous())[..., :1, :]


def log_odds(n_pos: Tensor, n_rows: Any) -> Tensor:
    """Log-odds log(π / (1 − π)) of each label's prior π = n / N, (L,)."""
    import torch

    # Half a row away from 0 and N: a label that is always or never on would have infinite log-odds.
    n = torch.minimum(n_pos.clamp(min=0.5), n_rows - 0.5)
    return per_label(lambda m: (m / (n_rows - m)).log(), n)


def effective_weights(n_pos: Tensor, one_minus_beta: Any) -> Tensor:
    """Class-balanced weights (1 − β) / (1 − β^n) of each label, (L,): one over the effective number of samples.

    Source: Cui, Jia, Lin, Song & Belongie 2019, DOI 10.1109/CVPR.2019.00949.
    """
    import torch

    def seen(n: Tensor) -> Tensor:
        # 1 − β^n from 1 − β itself: in single precision 1 − .9999 keeps four digits only.
        return -torch.expm1(n * torch.log1p(0 * n - one_minus_beta))

    # n = 0 would divide by zero; a label without positives is treated as if it had one.
    return one_minus_beta / per_label(seen, n_pos.clamp(min=1.0))
