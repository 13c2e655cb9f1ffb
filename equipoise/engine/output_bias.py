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
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.lanes import Lane, continuous_fields, static_fields
from equipoise.engine.loss import PopulationLoss, require_finite

#: iRprop−: the number of iterations, the first step in logits, and the factors of a step while the sign of the gradient stays
#: the same, and when it changes.
ROUNDS, FIRST, FASTER, SLOWER = 60, 0.5, 1.3, 0.5
#: A gradient smaller than this, relative to its terms, counts as zero.
ROUNDING = 1e-6
#: The number of rows is a multiple of this, as in training; a probe of a loss has exactly as many.
BLOCK = 32
#: The most elements (rows × labels) of one lane that are used; the number of batches for a loss that depends on its batch.
_ELEMENTS, _BATCHES = 1 << 18, 8
#: The most elements of all lanes that are searched side by side.
_SIDE_BY_SIDE = 1 << 21
#: Starts that a process remembers.
_REMEMBERED = 4096

_known: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()


@dataclass(frozen=True, eq=False)
class _Labels:
    """The labels on which a lane's loss is evaluated: M batches of R rows, (M, R, L), and the weight of each element."""

    targets: np.ndarray
    weights: np.ndarray


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
    labels = _labels(lanes, batch_size)
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


def _labels(lanes: Sequence[Lane], batch_size: int) -> list[_Labels]:
    """The smallest set of labels that determines each lane's mean loss.

    If a loss treats each element by itself, two rows are enough; if it treats each row by itself, the distinct rows; if it
    depends on the batch, whole batches are needed.
    """
    by_element, by_row = _decomposes(lanes)
    out = []
    for k, lane in enumerate(lanes):
        probabilities = _probabilities(lane)
        if by_element[k]:
            out.append(_elements(lane, probabilities))
        elif by_row[k]:
            out.append(_rows(lane, probabilities))
        else:
            out.append(_batches(lane, probabilities, batch_size))
    return out


def _probabilities(lane: Lane) -> np.ndarray:
    """(m,) the probability with which each row is drawn at the first step."""
    m = len(lane.targets)
    if lane.weights is None:
        return np.full(m, 1.0 / m)
    first = lane.weights if lane.weights.ndim == 1 else lane.weights[0]
    return np.asarray(first, dtype=np.float64) / float(np.sum(first))


def prior(lane: Lane) -> np.ndarray:
    """(L,) the share of positives of each label among rows drawn with the sampling weights."""
    return _positives(lane, _probabilities(lane))


def _positives(lane: Lane, probabilities: np.ndarray) -> np.ndarray:
    # Not a matrix product: a library may add the rows in another order on another machine.
    share: np.ndarray = (probabilities[:, None] * lane.targets).sum(0)
    return share


def _elements(lane: Lane, probabilities: np.ndarray) -> _Labels:
    """A row of positives and one of negatives, weighted by how often each value occurs."""
    share = _positives(lane, probabilities)
    targets = np.zeros((1, BLOCK, len(share)), dtype=np.float32)
    weights = np.zeros_like(targets)
    targets[0, 0], weights[0, 0], weights[0, 1] = 1.0, share, 1.0 - share
    return _Labels(targets, weights)


def _rows(lane: Lane, probabilities: np.ndarray) -> _Labels:
    """The distinct labelsets, weighted by their frequency; or a sample of rows if there are too many."""
    # The labels of a row as one value of a void type, which `np.unique` can compare.
    packed = np.packbits(lane.targets, axis=1)
    labelsets = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, labelset_of = np.unique(labelsets, return_index=True, return_inverse=True)
    most = max(BLOCK, _ELEMENTS // lane.targets.shape[1])
    if len(first) <= most:
        rows, weights = lane.targets[first], np.bincount(labelset_of, probabilities, len(first))
    else:
        rows = lane.targets[_systematic(probabilities, most)]
        weights = np.full(len(rows), 1.0 / len(rows))
    # Padded to a multiple of 32 with rows of weight 0.
    padding = -len(rows) % BLOCK
    targets = np.pad(rows, ((0, padding), (0, 0))).astype(np.float32)[None]
    row_weights = np.pad(weights, (0, padding)).astype(np.float32)[None, :, None]
    return _Labels(targets, np.ascontiguousarray(np.broadcast_to(row_weights, targets.shape)))


def _batches(lane: Lane, probabilities: np.ndarray, batch_size: int) -> _Labels:
    """Some batches as in training, each with every kind of row in about its share."""
    # The sample is sorted by row; dealing it out to the batches in turn gives each a bit of everything.
    drawn = _systematic(probabilities, _BATCHES * batch_size).reshape(batch_size, _BATCHES).T
    targets = lane.targets[drawn].astype(np.float32)
    return _Labels(targets, np.full_like(targets, 1.0 / _BATCHES))


def _systematic(probabilities: np.ndarray, count: int) -> np.ndarray:
    """A systematic sample of `count` rows: each occurs `count` × its probability times, rounded up or down. Not random."""
    quantiles = (np.arange(count) + 0.5) / count
    return np.minimum(np.searchsorted(np.cumsum(probabilities), quantiles), len(probabilities) - 1)


def _decomposes(lanes: Sequence[Lane]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each lane's loss treats every element by itself, and every row by itself, (K,) bool each.

    Tested with a probe: the gradient at an element must not change if other elements, or other rows, get other targets.
    """
    n_labels = lanes[0].targets.shape[1]
    probe = np.random.Generator(np.random.PCG64(0))
    logits = np.broadcast_to(probe.normal(-1.0, 1.5, n_labels), (BLOCK, n_labels))
    mixed = probe.random((BLOCK, n_labels)) < probe.uniform(0.2, 0.8, n_labels)
    other = np.where(np.arange(BLOCK)[:, None] < BLOCK // 2, mixed, ~mixed)
    loss = _Gradients(lanes)
    ones, zeros, both, half = (
        loss.at(
            np.broadcast_to(logits, (len(lanes), *logits.shape)), np.broadcast_to(y, (len(lanes), *y.shape))
        )
        for y in (np.ones_like(mixed), np.zeros_like(mixed), mixed, other)
    )
    same_rows = slice(None, BLOCK // 2)
    by_element = _equal(both, torch.where(torch.from_numpy(mixed), ones, zeros))
    return by_element, _equal(both[:, same_rows], half[:, same_rows])


def _equal(a: Tensor, b: Tensor) -> np.ndarray:
    """Whether the tensors (K, R, L) of each lane are equal up to rounding, (K,) bool."""
    largest = a.abs().amax((1, 2), keepdim=True)
    same: np.ndarray = ((a - b).abs() <= 1e-4 * a.abs() + 1e-5 * largest).all(-1).all(-1).numpy()
    return same


class _Gradients:
    """The gradient of each lane's mean loss in its logits, always computed on the CPU.

    A single lane is padded to two, since reductions over one lane may round differently.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._n_lanes, padded = len(lanes), [*lanes, *lanes[: len(lanes) == 1]]
        self._loss = PopulationLoss(padded, torch.device("cpu"))

    def at(self, logits: np.ndarray, targets: np.ndarray) -> Tensor:
        """The gradient (K, R, L) for logits and targets (K, R, L), at the first step of the training."""
        z, y = (torch.from_numpy(np.array(a, dtype=np.float32)) for a in (logits, targets))
        if self._n_lanes == 1:
            z, y = torch.cat([z, z]), torch.cat([y, y])
        return self._loss.grad_logits(z, y, np.zeros(len(z)))[: self._n_lanes].clone()


def _signs(terms: np.ndarray) -> np.ndarray:
    """The signs (K, L) of the sums of terms (K, R, L) over R; 0 for a sum that is no more than rounding error."""
    # Lane by lane, because a sum over all lanes at once may add in another order for another K.
    sums, sizes = (
        np.stack([np.sum(lane_terms, 0, dtype=np.float64) for lane_terms in t])
        for t in (terms, np.abs(terms))
    )
    return np.where(np.abs(sums) <= ROUNDING * sizes, 0.0, np.sign(sums))


def _optima(lanes: Sequence[Lane], labels: Sequence[_Labels]) -> list[np.ndarray]:
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
    gradients = _Gradients([lane for lane in lanes for _ in range(batches)])
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
