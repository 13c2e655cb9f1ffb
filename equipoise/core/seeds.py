"""Random streams by role: a stream depends on its purpose, never on the strategy and never on global state.

So every strategy gets the same splits, the same initial weights and the same order of batches (a paired comparison), and a
cell gives the same numbers in any process and in any order.
"""

from __future__ import annotations

import hashlib

import numpy as np


def seed_of(*role: object) -> int:
    """Return the 64-bit seed of a role, e.g. `seed_of("batches", dataset, backbone, split, seed, fold)`."""
    # The unit separator occurs in no name, so ("a", "bc") and ("ab", "c") are different roles.
    text = "\x1f".join(str(part) for part in role)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def stream(*role: object) -> np.random.Generator:
    """Return a new NumPy generator, seeded by the role."""
    return np.random.Generator(np.random.PCG64(seed_of(*role)))
