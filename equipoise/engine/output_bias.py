"""Where output biases begin: at the constant logits that are best for a lane's own objective on its own training labels.

A bias moves by about the learning rate a step, while the log-odds of a label that one row in a hundred has are −4.6: from 0, a
training spends its budget on the way there, and a loss whose optimum lies nearer to 0 (a re-weighted one) looks better than it
is. One rule for every strategy: among predictions that are the same for all rows, the best for the lane's loss, with its label
statistics, its rows (after resampling) and its drawing weights, as they are at the first step. For cross-entropy these are the
log-odds; for one that weights positives by (N − n) / n they are 0.
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
from equipoise.engine.loss import PopulationLoss

#: Rounds of the search for an optimum, its first step in logits, and what a step is multiplied by while the sign of a slope
#: stays, and when it changes.
ROUNDS, FIRST, FASTER, SLOWER = 60, 0.5, 1.3, 0.5
#: A slope that is smaller than this, compared with its terms, is none.
ROUNDING = 1e-6
#: Rows are taken in multiples of this, as in training; a probe of a loss has as many.
BLOCK = 32
#: Elements (rows × labels) of one lane's labels that are looked at, at most; batches of a loss that depends on its batch.
_ELEMENTS, _BATCHES = 1 << 18, 8
#: Elements of all lanes that are searched side by side.
_TOGETHER = 1 << 21
_HELD = 4096

_known: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()


@dataclass(frozen=True, eq=False)
class _Labels:
    """What a lane's objective is computed on: `batches` of rows, (M, R, L), and how much each cell counts."""

    targets: np.ndarray
    weights: np.ndarray


def best_constant_logits(lanes: Sequence[Lane], batch_size: int) -> list[np.ndarray]:
    """The constant logits (L,) float32 at which each lane's mean loss is least; the same bits whoever is asked about beside it.

    They stay within ± log(2m − 1) for m rows: the log-odds of half a row. A label for which the loss has no optimum within (as
    F1, which is best when all are called positive) begins at its log-odds under the lane's sampling.
    All lanes have as many labels.
    """
    digests: dict[int, bytes] = {}
    keys = [_key(lane, batch_size, digests) for lane in lanes]
    missing = {key: lane for key, lane in zip(keys, lanes, strict=True) if key not in _known}
    for key, found in zip(missing, _found(list(missing.values()), batch_size), strict=True):
        _known[key] = found
    answers = [_known[key] for key in keys]
    while len(_known) > _HELD:
        _known.popitem(last=False)
    return answers


def _key(lane: Lane, batch_size: int, digests: dict[int, bytes]) -> tuple[object, ...]:
    """What an optimum depends on."""
    fields = [*static_fields(lane.strategy), *continuous_fields(lane.strategy)]
    settings = tuple(repr(getattr(lane.strategy, name)) for name in fields)
    arrays = []
    for array in (lane.targets, lane.weights, lane.n_pos):
        if array is not None and id(array) not in digests:
            data = np.ascontiguousarray(array)
            digests[id(array)] = hashlib.blake2b(data.data, digest_size=16).digest() + bytes(
                str(data.shape), "ascii"
            )
        arrays.append(None if array is None else digests[id(array)])
    return type(lane.strategy), settings, lane.n_rows, batch_size, *arrays


def _found(lanes: Sequence[Lane], batch_size: int) -> list[np.ndarray]:
    """The optima, lanes with labels of one shape side by side."""
    if not lanes:
        return []
    labels = _labels(lanes, batch_size)
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, own in enumerate(labels):
        alike.setdefault(own.targets.shape, []).append(i)
    out: list[np.ndarray] = [np.empty(0)] * len(lanes)
    for shape, members in alike.items():
        most = max(1, _TOGETHER // int(np.prod(shape)))
        for at in range(0, len(members), most):
            some = members[at : at + most]
            found = _optima([lanes[i] for i in some], [labels[i] for i in some])
            for i, bias in zip(some, found, strict=True):
                out[i] = bias
    return out


def _labels(lanes: Sequence[Lane], batch_size: int) -> list[_Labels]:
    """The fewest rows that tell a lane's objective, by what its loss looks at: single cells, single rows, or batches."""
    cells, rows = _looks_at(lanes)
    out = []
    for k, lane in enumerate(lanes):
        shares = _shares(lane)
        if cells[k]:
            out.append(_of_cells(lane, shares))
        elif rows[k]:
            out.append(_of_rows(lane, shares))
        else:
            out.append(_of_batches(lane, shares, batch_size))
    return out


def _shares(lane: Lane) -> np.ndarray:
    """The probability with which each row is drawn at the first step, (m,)."""
    m = len(lane.targets)
    if lane.weights is None:
        return np.full(m, 1.0 / m)
    first = lane.weights if lane.weights.ndim == 1 else lane.weights[0]
    return np.asarray(first, dtype=np.float64) / float(np.sum(first))


def prior(lane: Lane) -> np.ndarray:
    """The share (L,) of positives among the rows as they are drawn."""
    return _share(lane, _shares(lane))


def _share(lane: Lane, shares: np.ndarray) -> np.ndarray:
    """Added up row by row in one order, which a library's product does not promise."""
    out: np.ndarray = (shares[:, None] * lane.targets).sum(0)
    return out


def _of_cells(lane: Lane, shares: np.ndarray) -> _Labels:
    """A row of positives and one of negatives, weighted by how often each is seen."""
    share = _share(lane, shares)
    targets = np.zeros((1, BLOCK, len(share)), dtype=np.float32)
    weights = np.zeros_like(targets)
    targets[0, 0], weights[0, 0], weights[0, 1] = 1.0, share, 1.0 - share
    return _Labels(targets, weights)


def _of_rows(lane: Lane, shares: np.ndarray) -> _Labels:
    """The distinct rows, weighted; or a sample, where they are many."""
    packed = np.packbits(lane.targets, axis=1)
    kinds = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, place = np.unique(kinds, return_index=True, return_inverse=True)
    most = max(BLOCK, _ELEMENTS // lane.targets.shape[1])
    if len(first) <= most:
        rows, weights = lane.targets[first], np.bincount(place, shares, len(first))
    else:
        rows = lane.targets[_systematic(shares, most)]
        weights = np.full(len(rows), 1.0 / len(rows))
    more = -len(rows) % BLOCK
    targets = np.pad(rows, ((0, more), (0, 0))).astype(np.float32)[None]
    each = np.pad(weights, (0, more)).astype(np.float32)[None, :, None]
    return _Labels(targets, np.ascontiguousarray(np.broadcast_to(each, targets.shape)))


def _of_batches(lane: Lane, shares: np.ndarray, batch_size: int) -> _Labels:
    """Some batches as they are drawn in training, with every kind of row in its share."""
    drawn = _systematic(shares, _BATCHES * batch_size).reshape(batch_size, _BATCHES).T
    targets = lane.targets[drawn].astype(np.float32)
    return _Labels(targets, np.full_like(targets, 1.0 / _BATCHES))


def _systematic(shares: np.ndarray, count: int) -> np.ndarray:
    """`count` rows, each as often as its share says, up to one."""
    places = (np.arange(count) + 0.5) / count
    return np.minimum(np.searchsorted(np.cumsum(shares), places), len(shares) - 1)


def _looks_at(lanes: Sequence[Lane]) -> tuple[np.ndarray, np.ndarray]:
    """Whether a lane's loss takes every cell by itself, and every row by itself, (K,) bool each: tried on a probe."""
    n_labels = lanes[0].targets.shape[1]
    probe = np.random.Generator(np.random.PCG64(0))
    logits = np.broadcast_to(probe.normal(-1.0, 1.5, n_labels), (BLOCK, n_labels))
    mixed = probe.random((BLOCK, n_labels)) < probe.uniform(0.2, 0.8, n_labels)
    other = np.where(np.arange(BLOCK)[:, None] < BLOCK // 2, mixed, ~mixed)
    loss = _Slopes(lanes)
    ones, zeros, both, half = (
        loss.at(
            np.broadcast_to(logits, (len(lanes), *logits.shape)), np.broadcast_to(y, (len(lanes), *y.shape))
        )
        for y in (np.ones_like(mixed), np.zeros_like(mixed), mixed, other)
    )
    kept = slice(None, BLOCK // 2)
    return _equal(both, torch.where(torch.from_numpy(mixed), ones, zeros)), _equal(
        both[:, kept], half[:, kept]
    )


def _equal(a: Tensor, b: Tensor) -> np.ndarray:
    """(K,) bool, up to rounding."""
    largest = a.abs().amax((1, 2), keepdim=True)
    same: np.ndarray = ((a - b).abs() <= 1e-4 * a.abs() + 1e-5 * largest).all(-1).all(-1).numpy()
    return same


class _Slopes:
    """The slope of each lane's mean loss in its logits; on the CPU, a lane alone beside a copy of itself."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._own, padded = len(lanes), [*lanes, *lanes[: len(lanes) == 1]]
        self._loss = PopulationLoss(padded, torch.device("cpu"))

    def at(self, logits: np.ndarray, targets: np.ndarray) -> Tensor:
        """For logits and targets (K, R, L) at the first step."""
        z, y = (torch.from_numpy(np.array(a, dtype=np.float32)) for a in (logits, targets))
        if self._own == 1:
            z, y = torch.cat([z, z]), torch.cat([y, y])
        return self._loss.grad_logits(z, y, np.zeros(len(z)))[: self._own].clone()


def _signs(terms: np.ndarray) -> np.ndarray:
    """The signs (K, L) of the sums of terms (K, R, L) over R, 0 for what is no more than rounding.

    Lane by lane: a sum over all of them at once may go in another order for another K.
    """
    sums, sizes = (np.stack([np.sum(own, 0, dtype=np.float64) for own in t]) for t in (terms, np.abs(terms)))
    return np.where(np.abs(sums) <= ROUNDING * sizes, 0.0, np.sign(sums))


def _optima(lanes: Sequence[Lane], labels: Sequence[_Labels]) -> list[np.ndarray]:
    """By the signs of slopes alone (iRprop−: Igel & Hüsken 2000), which no scale of a loss disturbs."""
    batches = len(labels[0].targets)
    share = np.stack([prior(lane) for lane in lanes])
    rows = np.array([[len(lane.targets)] for lane in lanes], dtype=np.float64)
    held = np.clip(share, 0.5 / rows, 1 - 0.5 / rows)
    odds, bound = np.log(held) - np.log1p(-held), np.log(2 * rows - 1)
    targets, weights = (np.concatenate([getattr(own, n) for own in labels]) for n in ("targets", "weights"))
    slopes = _Slopes([lane for lane in lanes for _ in range(batches)])
    at, step, before = odds.copy(), np.full_like(odds, FIRST), np.zeros_like(odds)
    for _ in range(ROUNDS):
        here = np.repeat(at, batches, 0)[:, None]
        slope = slopes.at(np.broadcast_to(here, targets.shape), targets).numpy() * weights
        signs = _signs(np.nan_to_num(slope).reshape(len(lanes), -1, slope.shape[2]))
        if not signs.any():
            break
        turned = signs * before
        step = np.where(turned > 0, np.minimum(step * FASTER, 4.0), np.where(turned < 0, step * SLOWER, step))
        before = np.where(turned < 0, 0.0, signs)
        at = np.clip(at - before * step, -bound, bound)
    lost = (np.abs(at) >= bound) & (share > 0) & (share < 1)
    return list(np.where(lost, odds, at).astype(np.float32))
