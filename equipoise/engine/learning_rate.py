"""The schedule of the learning rate: a linear rise in the first steps, then a cosine down to zero at the last.

The cosine is that of Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts. Because the last steps are tiny, the noise of
single batches averages out. So a larger rate and fewer steps suffice, and the last parameters are the ones to keep.
"""

from __future__ import annotations

import numpy as np

#: Share of the steps in which the learning rate rises to its full value.
WARM_UP = 0.05


def rate(done: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The share (K, …) of the peak learning rate for the step after `done` (K, …) of `total` (K, …) steps."""
    # At least one step: in short trainings, the first step has the full rate.
    warm = np.maximum(1.0, WARM_UP * total)
    left = np.clip((total - done) / np.maximum(total - warm + 1.0, 1.0), 0.0, 1.0)
    out: np.ndarray = np.minimum((done + 1) / warm, 0.5 - 0.5 * np.cos(np.pi * left))
    return out
