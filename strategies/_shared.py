"""Pieces that several losses share. No strategy lives here, so the registry leaves the file alone.

A lane's loss must have the same bits whoever trains beside it. An element-wise kernel computes the last few elements of a
run by other instructions than the rest, and a power, sigmoid or softplus then differs in its last bit (in 1 to 9 % of the
elements of a (32, 7) tensor; logarithm and exponential did not). So such functions of label statistics are taken on a block
whose size is a multiple of 32 (`per_label`), never on (L,) or a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

#: Rows of the block on which functions of label statistics are taken.
BLOCK = 32


def wide(x: Tensor) -> Tensor:
    """x itself, or as float32 where it has half precision: sums of exponentials need the range."""
    return x.float() if x.element_size() < 4 else x


def per_label(function: Callable[[Tensor], Tensor], n: Tensor) -> Tensor:
    """function(n), element-wise, of a label statistic n (L,), with bits that do not depend on where it lies in memory.

    Of the statistics of K lanes, (K, 1, L), likewise.
    """
    if n.dim() == 1:
        return function(n.expand(BLOCK, -1).contiguous())[0]
    return function(n.expand(*n.shape[:-2], BLOCK, -1).contiguous())[..., :1, :]


def log_odds(n_pos: Tensor, n_rows: Any) -> Tensor:
    """log(π / (1 − π)) of each label's prior π = n / N, (L,); n is kept within ½ .. N − ½, so it is finite."""
    import torch

    n = torch.minimum(n_pos.clamp(min=0.5), n_rows - 0.5)
    return per_label(lambda m: (m / (n_rows - m)).log(), n)


def effective_weights(n_pos: Tensor, beta: Any) -> Tensor:
    """(1 − β) / (1 − β^n) of each label, (L,): 1 over the effective number of samples; an absent label counts as n = 1.

    Source: Cui, Jia, Lin, Song & Belongie 2019, DOI 10.1109/CVPR.2019.00949.
    """
    import torch

    return (1 - beta) / per_label(lambda n: 1 - torch.pow(beta, n), n_pos.clamp(min=1.0))
