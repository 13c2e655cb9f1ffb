"""The learning rate over a training: up in the first steps, then down to nothing at the last, on a cosine.

Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts. Steps that end in nothing leave no noise of batches in the result,
so a larger rate and fewer steps suffice, and the last parameters are the ones to keep.
"""

from __future__ import annotations

import numpy as np

#: Share of the steps in which the learning rate rises to its full value.
WARM_UP = 0.05


def rate(done: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Share (K,) of the full learning rate for the step that follows `done` of `total` steps, (K,) each."""
    warm = np.maximum(1.0, WARM_UP * total)
    left = np.clip((total - done) / np.maximum(total - warm + 1.0, 1.0), 0.0, 1.0)
    out: np.ndarray = np.minimum((done + 1) / warm, 0.5 - 0.5 * np.cos(np.pi * left))
    return out
