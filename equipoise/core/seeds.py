"""Random streams by role: a stream depends on what it is for, never on the strategy and never on global state.

So every strategy sees the same splits, the same initial weights and the same order of batches (paired comparison), and a
cell gives the same numbers in any process and in any order.
"""

from __future__ import annotations

import hashlib

import numpy as np


def seed_of(*role: object) -> int:
    """A 64-bit seed from the words of a role, e.g. `seed_of("batches", dataset, backbone, split, seed, fold)`."""
    text = "\x1f".join(str(part) for part in role)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def stream(*role: object) -> np.random.Generator:
    """A NumPy generator of its own for a role."""
    return np.random.Generator(np.random.PCG64(seed_of(*role)))
