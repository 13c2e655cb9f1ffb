"""Binary relevance: one network per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from equipoise.contracts.equality import Equality, same
from equipoise.contracts.strategy import Context, Strategy
from equipoise.contracts.tasks import Task

if TYPE_CHECKING:
    from equipoise.contracts.backbone import Backbone


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

    def same_as(self, backbone: Backbone, n_labels: int) -> list[Equality]:
        if n_labels > 1 and not backbone.separate_labels:
            return []
        return same("none", "there is one network per label without it, too")

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        return [Task((label,)) for label in range(Y.shape[1])]
