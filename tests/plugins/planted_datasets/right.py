"""Data sets without a fault, from which the planted ones are made: numbers and texts, both generated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from equipoise.contracts.dataset import Dataset, DatasetSource

LABELS = ("red", "green", "blue")


@dataclass(frozen=True)
class Numbers(DatasetSource):
    """Numbers that depend on three labels."""

    fault: ClassVar[str] = ""
    rows: int = 80
    seed: int = 0

    def load(self, data_dir: Path) -> Dataset:
        return Dataset(**self.parts(data_dir))

    def parts(self, data_dir: Path) -> dict[str, Any]:
        """The arguments of `Dataset`."""
        rng = np.random.default_rng(self.seed)
        Y = (rng.random((self.rows, 3)) < (0.5, 0.3, 0.2)).astype(np.uint8)
        Y[:3] = np.eye(3)
        X = Y @ rng.normal(size=(3, 4)) + rng.normal(size=(self.rows, 4))
        return {
            "name": self.name,
            "X": X,
            "Y": Y,
            "labels": LABELS,
            "source": "generated for the tests",
            "terms": "public domain",
            "features": ("a", "b", "c", "d"),
            "official": np.where(np.arange(self.rows) % 4 == 0, 2, 0),
        }


@dataclass(frozen=True)
class Texts(Numbers):
    """Texts that name some of their labels."""

    def parts(self, data_dir: Path) -> dict[str, Any]:
        parts, rng = super().parts(data_dir), np.random.default_rng(self.seed)
        texts = [
            f"row {rng.integers(1000)}: " + " ".join(name for name, on in zip(LABELS, y, strict=True) if on)
            for y in parts["Y"]
        ]
        return parts | {"X": np.array(texts, dtype=object), "features": ()}


def planted(here: dict[str, Any], base: type, name: str, fault: str, **members: Any) -> DatasetSource:
    """An instance of a subclass with other members; the class is put into the names of a module."""
    cls_name = "Fault" + "".join(part.title() for part in name.split("_"))
    body = {"__doc__": "Data with a fault.", "__module__": here["__name__"], "fault": fault}
    cls = dataclass(frozen=True)(type(cls_name, (base,), body | members))
    here[cls_name] = cls
    return cls(name, "data with a fault")


#: Sources of the base classes.
RIGHT = (
    Numbers("numbers", "numbers"),
    Texts("texts", "texts"),
    Numbers("odd-rows", "an odd number", rows=81),
)
