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
    """A network of its own for every label, all trained side by side; nothing is shared between labels."""

    name: ClassVar[str] = "binary_relevance"
    reference: ClassVar[str] = "Boutell, Luo, Shen & Brown 2004, DOI 10.1016/j.patcog.2004.03.009"

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [Task((label,)) for label in range(Y.shape[1])]
