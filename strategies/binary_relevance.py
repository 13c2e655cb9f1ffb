"""Binary relevance: one network per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task


@dataclass(frozen=True)
class BinaryRelevance(Strategy):
    """Train a separate network for every label; labels share no parameters.

    The networks are trained side by side as one population. Against `none`, which shares the hidden layers among labels, this
    shows what sharing is worth.
    """

    name: ClassVar[str] = "binary_relevance"
    reference: ClassVar[str] = (
        "Boutell, Luo, Shen & Brown 2004, Learning multi-label scene classification, Pattern Recognition, DOI "
        "10.1016/j.patcog.2004.03.009"
    )

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [Task((label,)) for label in range(Y.shape[1])]
