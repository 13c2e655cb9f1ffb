"""No balancing: the baseline that every strategy is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from equipoise.contracts.strategy import Strategy


@dataclass(frozen=True)
class NoBalancing(Strategy):
    """Baseline: plain binary cross-entropy on the original rows."""

    name: ClassVar[str] = "none"
