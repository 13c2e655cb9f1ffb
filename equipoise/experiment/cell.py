"""Cells: the unit that is planned, run, resumed and recorded. Defines a cell's key and the common fields of its row."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from equipoise.catalog.parts import Place
from equipoise.catalog.plugins import Origin
from equipoise.core.lazy import lazy
from equipoise.experiment.settings import Settings
from equipoise.experiment.versions import cpu_capability, versions
from equipoise.splits.outer import Split

if TYPE_CHECKING:
    from equipoise.ops import device as devices
else:
    devices = lazy("equipoise.ops.device")

#: Fields of a cell that do not influence its predictions.
_DESCRIBES = frozenset(
    {"dataset", "backbone", "identity", "strategy_identity", "places", "plugins", "timeout"}
)


@dataclass(frozen=True)
class Cell:
    """One combination of dataset, backbone, strategy and outer split, with everything that decides its predictions.

    Attributes:
        dataset, backbone, strategy: specs as a user writes them.
        dataset_sha256: hash of the content of the data set.
        code: hashes of the engine's, the backbone's and the strategy's code, see `equipoise.experiment.versions`.
        identity: `Backbone.identity`, what names the backbone in the key and in random streams; "" for its spec.
        places: where the plugins lie that the strategy and the backbone need, except those that are found by their names.
        plugins: where each plugin that takes part comes from, for the row.
        external: the hash of the external rows that the strategy adds; "" if it adds none.
        timeout: the most seconds that it may take; None for no limit. A cell that ends in time has the same row without it.
        strategy_identity: the strategy's spec with that hash in the place of the file's path, and with the parts of a named
            composition; "" for its spec.
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
    identity: str = ""
    places: tuple[Place, ...] = ()
    plugins: tuple[Origin, ...] = ()
    external: str = ""
    strategy_identity: str = ""
    timeout: float | None = None

    @property
    def backbone_identity(self) -> str:
        """The backbone without paths."""
        return self.identity or self.backbone

    @cached_property
    def key(self) -> str:
        """16 hex digits over what decides the predictions: the data's content, the code, the settings, the libraries.

        The name of the data set, the paths of files and the origin of a plugin are left out: the same content gives the same key.
        """
        fields = {k: v for k, v in dataclasses.asdict(self).items() if k not in _DESCRIBES}
        fields["backbone"] = self.backbone_identity
        fields["strategy"] = self.strategy_identity or self.strategy
        # `code` says more exactly than our own version number which equipoise this is.
        libraries = {name: version for name, version in versions().items() if name != "equipoise"}
        # Sorted keys: the order of fields in the class does not matter.
        text = json.dumps([fields, libraries], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def row(self, status: str, **more: Any) -> dict[str, Any]:
        """Return a row: the fields that identify the cell, and `more`."""
        return {
            "key": self.key,
            "status": status,
            "dataset": self.dataset,
            "dataset_sha256": self.dataset_sha256,
            "backbone": self.backbone,
            "backbone_identity": self.backbone_identity,
            "strategy": self.strategy,
            "split": self.split,
            "seed": self.seed,
            "device": self.device,
            "settings": dataclasses.asdict(self.settings),
            "code": self.code,
            # For the reader of the row; the content of a plugin is part of `code`.
            "plugins": [dataclasses.asdict(origin) for origin in self.plugins],
            "external_sha256": self.external or None,
            "versions": versions(),
            "threads": devices.THREADS,
            # Not in the key: a store may move to another machine, and go on there.
            "cpu": cpu_capability(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": None,
            "traceback": None,
            "reason": None,
            **more,
        }
