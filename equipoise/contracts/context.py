"""What a hook of a strategy may know besides its arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Context:
    """What a hook may know besides its arguments.

    Attributes:
        n_pos: (L,) number of positives of each label in the training rows before any resampling. A NumPy array, except in
            `loss`, where it is a float tensor on the device.
        n_rows: the number of those rows (in `loss`, a scalar tensor).
        rng: the random stream of this hook alone (None in `loss`, which is deterministic).
        progress: the share of the training that is done, 0 to 1 (in `loss`, a scalar tensor).
        folds: (n,) the fold in which each row was held out; in `adjust` and `decide` only.
        trained_pos: (L,) number of positives of each label in the rows that a network learns from: after resampling, and in
            `loss` among the rows of its task as they are drawn. With sampling weights, that is the share of positives among the
            rows drawn during the training, times the number of rows, and no whole number. Where nothing is known of those rows
            (in `resample`, `adjust` and `decide`), it is `n_pos`.
        trained_rows: the number of those rows.
        representation: (B, H) what the network's last layer gets, in a `loss` that sees it; None where there is no network.
    """

    n_pos: Any
    n_rows: Any
    rng: np.random.Generator = field(default=None, repr=False)  # type: ignore[assignment]
    progress: Any = 0.0
    folds: Any = field(default=None, repr=False)
    representation: Any = field(default=None, repr=False)
    trained_pos: Any = None
    trained_rows: Any = None

    def __post_init__(self) -> None:
        if self.trained_pos is None:
            object.__setattr__(self, "trained_pos", self.n_pos)
        if self.trained_rows is None:
            object.__setattr__(self, "trained_rows", self.n_rows)

    @property
    def prior(self) -> Any:
        """(L,) share of positives of each label in the training rows before any resampling."""
        return self.n_pos / self.n_rows
