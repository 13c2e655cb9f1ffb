"""An order of the labels in which labels that occur together are next to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core.arrays import Ints, label_matrix
from equipoise.measures import cooccurrence


def side_by_side(Y: ArrayLike) -> Ints:
    """The label indices (L,) in the order of the leaves of an average-linkage clustering with distance 1 − phi.

    The branches are flipped so that neighbouring leaves are as similar as possible. Constant labels have no phi and come
    last. Sources: Sokal & Michener 1958 (average linkage); Bar-Joseph, Gifford & Jaakkola 2001, DOI
    10.1093/bioinformatics/17.suppl_1.S22 (optimal leaf order).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    bits = label_matrix(Y)
    rows, positives = len(bits), np.count_nonzero(bits, axis=0).astype(np.float64)
    varying = np.flatnonzero((positives > 0) & (positives < rows))
    constant = np.setdiff1d(np.arange(bits.shape[1]), varying)
    if len(varying) < 3:  # every order of two labels is the same
        return np.concatenate([varying, constant])
    part = positives[varying]
    # Phi from counts: (n · n_ij − n_i n_j) / √(n_i (n − n_i) n_j (n − n_j)).
    spread = np.sqrt(part * (rows - part))
    phi = (rows * cooccurrence(bits[:, varying]) - np.outer(part, part)) / np.outer(spread, spread)
    distance = (1.0 - phi)[np.triu_indices(len(varying), k=1)]
    tree = optimal_leaf_ordering(linkage(distance, "average"), distance)
    return np.concatenate([varying[leaves_list(tree)], constant]).astype(np.int64)
