"""Computes the initial biases of the outputs: the constant logits that minimise a lane's own loss on its own training labels.

Adam moves a bias by about the learning rate in each step, but the log-odds of a label that one row in a hundred has are −4.6.
Started at 0, a training would spend its budget on the way there, and a loss whose optimum lies nearer to 0 (a re-weighted one)
would look better than it is. So all strategies follow one rule: start from the best prediction that is the same for all rows,
under the lane's loss, label statistics, rows (after resampling) and sampling weights, as they are at the first step. For
cross-entropy that is the log-odds; for cross-entropy that weights positives by (N − n) / n it is 0.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from equipoise.engine.lanes import Lane, continuous_fields, static_fields
from equipoise.engine.loss import require_finite
from equipoise.engine.starts.loss_labels import LossGradients, LossLabels, loss_labels, prior

#: iRprop−: the number of iterations, the first step in logits, and the factors of a step while the sign of the gradient stays
#: the same, and when it changes.
ROUNDS, FIRST, FASTER, SLOWER = 60, 0.5, 1.3, 0.5
#: A gradient smaller than this, relative to its terms, counts as zero.
ROUNDING = 1e-6
#: The most elements of all lanes that are searched side by side.
_SIDE_BY_SIDE = 1 << 21
#: Starts that a process remembers.
_REMEMBERED = 4096

_known: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()


def best_constant_logits(lanes: Sequence[Lane], batch_size: int) -> list[np.ndarray]:
    """The constant logits (L,) float32 that minimise each lane's mean loss. All lanes must have the same number of labels.

    They lie within ± log(2m − 1) for m rows, the log-odds of half a row. If the loss has no optimum there for a label (F1, for
    example, is best if every row is predicted positive), that label starts at its log-odds under the lane's sampling weights.
    A lane's result has the same bits whatever other lanes are passed with it.
    """
    digests: dict[int, bytes] = {}
    keys = [_key(lane, batch_size, digests) for lane in lanes]
    missing = {key: lane for key, lane in zip(keys, lanes, strict=True) if key not in _known}
    # Here, since every loss that trains a network begins with its start, which is computed once.
    require_finite(list(missing.values()))
    for key, bias in zip(missing, _search(list(missing.values()), batch_size), strict=True):
        _known[key] = bias
    biases = [_known[key] for key in keys]
    while len(_known) > _REMEMBERED:
        _known.popitem(last=False)
    return biases


def _key(lane: Lane, batch_size: int, digests: dict[int, bytes]) -> tuple[object, ...]:
    """Everything that a lane's start depends on; `digests` holds the hashes of arrays, by their id."""
    fields = [*static_fields(lane.strategy), *continuous_fields(lane.strategy)]
    settings = tuple(repr(getattr(lane.strategy, name)) for name in fields)
    arrays = []
    for array in (lane.targets, lane.weights, lane.n_pos, lane.trained_pos):
        if array is not None and id(array) not in digests:
            data = np.ascontiguousarray(array)
            digests[id(array)] = hashlib.blake2b(data.data, digest_size=16).digest() + bytes(
                str(data.shape), "ascii"
            )
        arrays.append(None if array is None else digests[id(array)])
    return type(lane.strategy), settings, lane.n_rows, lane.trained_rows, batch_size, *arrays


def _search(lanes: Sequence[Lane], batch_size: int) -> list[np.ndarray]:
    """Find the optima, side by side for lanes whose labels have equal shapes."""
    if not lanes:
        return []
    labels = loss_labels(lanes, batch_size)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, of_lane in enumerate(labels):
        by_shape.setdefault(of_lane.targets.shape, []).append(i)
    out: list[np.ndarray] = [np.empty(0)] * len(lanes)
    for shape, members in by_shape.items():
        most = max(1, _SIDE_BY_SIDE // int(np.prod(shape)))
        for start in range(0, len(members), most):
            some = members[start : start + most]
            optima = _optima([lanes[i] for i in some], [labels[i] for i in some])
            for i, bias in zip(some, optima, strict=True):
                out[i] = bias
    return out


def _signs(terms: np.ndarray) -> np.ndarray:
    """The signs (K, L) of the sums of terms (K, R, L) over R; 0 for a sum that is no more than rounding error."""
    # Lane by lane, because a sum over all lanes at once may add in another order for another K.
    sums, sizes = (
        np.stack([np.sum(lane_terms, 0, dtype=np.float64) for lane_terms in t])
        for t in (terms, np.abs(terms))
    )
    return np.where(np.abs(sums) <= ROUNDING * sizes, 0.0, np.sign(sums))


def _optima(lanes: Sequence[Lane], labels: Sequence[LossLabels]) -> list[np.ndarray]:
    """Minimise each lane's mean loss over constant logits (L,), by iRprop− (Igel & Hüsken 2000).

    The method uses only the signs of gradients, so the scale of a loss does not matter.
    """
    batches = len(labels[0].targets)
    share = np.stack([prior(lane) for lane in lanes])
    rows = np.array([[len(lane.targets)] for lane in lanes], dtype=np.float64)
    # Half a row more or less keeps the log-odds of labels without positives, or without negatives, finite.
    clipped = np.clip(share, 0.5 / rows, 1 - 0.5 / rows)
    odds, bound = np.log(clipped) - np.log1p(-clipped), np.log(2 * rows - 1)
    targets, weights = (
        np.concatenate([getattr(of_lane, n) for of_lane in labels]) for n in ("targets", "weights")
    )
    gradients = LossGradients([lane for lane in lanes for _ in range(batches)])
    bias, step, last_signs = odds.copy(), np.full_like(odds, FIRST), np.zeros_like(odds)
    for _ in range(ROUNDS):
        logits = np.repeat(bias, batches, 0)[:, None]
        gradient = gradients.at(np.broadcast_to(logits, targets.shape), targets).numpy() * weights
        signs = _signs(np.nan_to_num(gradient).reshape(len(lanes), -1, gradient.shape[2]))
        if not signs.any():
            break
        # Positive where the sign stayed the same, negative where it changed: then the optimum has been passed.
        agreement = signs * last_signs
        step = np.where(
            agreement > 0, np.minimum(step * FASTER, 4.0), np.where(agreement < 0, step * SLOWER, step)
        )
        last_signs = np.where(agreement < 0, 0.0, signs)
        bias = np.clip(bias - last_signs * step, -bound, bound)
    no_optimum = (np.abs(bias) >= bound) & (share > 0) & (share < 1)
    return list(np.where(no_optimum, odds, bias).astype(np.float32))
