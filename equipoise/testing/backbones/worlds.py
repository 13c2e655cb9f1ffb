"""The small data sets on which backbones are checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from equipoise.core.seeds import stream

#: Rows of a world, and how many of them features are fitted on.
ROWS, TRAIN = 96, 64
_SHARES = (0.5, 0.34, 0.2)
_WORDS = 60


@dataclass(frozen=True, eq=False)
class BackboneWorld:
    """A data set of 96 rows that depend on their labels.

    Attributes:
        kind: "text" or "numeric".
        X: texts (96,), an array (96, d) or a CSR matrix. Y: (96, L) uint8.
    """

    name: str
    kind: str
    X: Any
    Y: np.ndarray

    @property
    def n_labels(self) -> int:
        return int(self.Y.shape[1])


@lru_cache(1)
def backbone_worlds() -> tuple[BackboneWorld, ...]:
    """All worlds; the first of each kind is the usual one."""
    Y = _labels()
    wide = np.hstack([_numbers(Y, 6), _numbers(Y, 34) * (stream("holes").random((ROWS, 34)) < 0.1)])
    return (
        BackboneWorld("numbers", "numeric", _numbers(Y, 6), Y),
        BackboneWorld("sparse numbers", "numeric", sp.csr_matrix(wide.astype(np.float32)), Y),
        BackboneWorld("one label, one column", "numeric", _numbers(Y, 1), Y[:, :1]),
        BackboneWorld("texts", "text", _texts(Y, 1, 21), Y),
        BackboneWorld("short texts, one label", "text", _texts(Y, 1, 3, empty=True), Y[:, :1]),
    )


def suitable(accepts: frozenset[str]) -> list[BackboneWorld]:
    """The worlds of the kinds that a backbone reads."""
    return [world for world in backbone_worlds() if world.kind in accepts]


def _labels() -> np.ndarray:
    rng = stream("backbone labels")
    Y: np.ndarray = (rng.random((ROWS, len(_SHARES))) < np.array(_SHARES)).astype(np.uint8)
    return Y


def _numbers(Y: np.ndarray, columns: int) -> np.ndarray:
    rng = stream("backbone numbers", columns)
    effect = 2.0 * rng.normal(size=(Y.shape[1], columns)) + np.eye(Y.shape[1], columns)
    X: np.ndarray = (Y @ effect + rng.normal(size=(len(Y), columns))).astype(np.float32)
    return X


def _texts(Y: np.ndarray, shortest: int, longest: int, empty: bool = False) -> np.ndarray:
    """Texts of different lengths, in which every other word hints at a label that the row has."""
    rng, texts = stream("backbone texts", longest), []
    for row in Y:
        own = [label for label, on in enumerate(row) if on] or [len(row)]
        length = int(rng.integers(shortest, longest))
        hints = [f"hint{'abcd'[own[int(rng.integers(len(own)))]]}" for _ in range(length)]
        noise = [f"word{int(rng.integers(_WORDS))}" for _ in range(length)]
        texts.append(
            " ".join(h if at % 2 == 0 else n for at, (h, n) in enumerate(zip(hints, noise, strict=True)))
        )
    if empty:
        texts[3], texts[TRAIN + 3] = "", "?"
    out = np.empty(len(texts), dtype=object)
    out[:] = texts
    return out
