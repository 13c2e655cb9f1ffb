"""No balancing: what every strategy is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from equipoise.contracts.strategy import Strategy


@dataclass(frozen=True)
class NoBalancing(Strategy):
    """Binary cross-entropy on the rows as they are."""

    name: ClassVar[str] = "none"
