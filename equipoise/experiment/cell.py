"""What is planned, run, resumed, recorded and distributed: one cell, and the row that it becomes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from equipoise.experiment.settings import Settings
from equipoise.experiment.versions import versions
from equipoise.splits.outer import Split


@dataclass(frozen=True)
class Cell:
    """What is planned, run, resumed, recorded and distributed.

    `dataset`, `backbone` and `strategy` are specs as a user writes them; `key` is a hash over everything that decides the
    row: the data's content, the code of strategy, backbone and engine, the settings, and the versions of the libraries.
    """

    dataset: str
    dataset_sha256: str
    backbone: str
    strategy: str
    split: Split
    seed: int
    settings: Settings
    device: str
    code: str
    plugin: str | None = None

    @cached_property
    def key(self) -> str:
        """16 hex digits; where a plugin file lies and how the data is called do not count."""
        fields = {k: v for k, v in dataclasses.asdict(self).items() if k not in ("plugin", "dataset")}
        text = json.dumps([fields, versions()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def row(self, status: str, **more: Any) -> dict[str, Any]:
        """A row with everything that identifies the cell, and more."""
        from equipoise.ops.device import THREADS

        return {
            "key": self.key,
            "status": status,
            "dataset": self.dataset,
            "dataset_sha256": self.dataset_sha256,
            "backbone": self.backbone,
            "strategy": self.strategy,
            "split": self.split,
            "seed": self.seed,
            "device": self.device,
            "settings": dataclasses.asdict(self.settings),
            "code": self.code,
            "versions": versions(),
            "threads": THREADS,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": None,
            "traceback": None,
            "reason": None,
            **more,
        }
