"""Finds the smallest set of labels on which the mean loss of a lane can be computed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equipoise.engine.lanes import Lane
from equipoise.engine.loss import PopulationLoss

#: The number of rows is a multiple of this, as in training; a probe of a loss has exactly as many.
BLOCK = 32
#: The most elements (rows × labels) of one lane that are used; the number of batches for a loss that depends on its batch.
_ELEMENTS, _BATCHES = 1 << 18, 8


@dataclass(frozen=True, eq=False)
class LossLabels:
    """The labels on which a lane's loss is evaluated: M batches of R rows, (M, R, L), and the weight of each element."""

    targets: np.ndarray
    weights: np.ndarray


def loss_labels(lanes: Sequence[Lane], batch_size: int) -> list[LossLabels]:
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


def _elements(lane: Lane, probabilities: np.ndarray) -> LossLabels:
    """A row of positives and one of negatives, weighted by how often each value occurs."""
    share = _positives(lane, probabilities)
    targets = np.zeros((1, BLOCK, len(share)), dtype=np.float32)
    weights = np.zeros_like(targets)
    targets[0, 0], weights[0, 0], weights[0, 1] = 1.0, share, 1.0 - share
    return LossLabels(targets, weights)


def _rows(lane: Lane, probabilities: np.ndarray) -> LossLabels:
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
    return LossLabels(targets, np.ascontiguousarray(np.broadcast_to(row_weights, targets.shape)))


def _batches(lane: Lane, probabilities: np.ndarray, batch_size: int) -> LossLabels:
    """Some batches as in training, each with every kind of row in about its share."""
    # The sample is sorted by row; dealing it out to the batches in turn gives each a bit of everything.
    drawn = _systematic(probabilities, _BATCHES * batch_size).reshape(batch_size, _BATCHES).T
    targets = lane.targets[drawn].astype(np.float32)
    return LossLabels(targets, np.full_like(targets, 1.0 / _BATCHES))


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
    loss = LossGradients(lanes)
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


class LossGradients:
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
