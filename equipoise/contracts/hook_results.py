"""Checks of what the hooks of a strategy return, made wherever the engine calls one.

A wrong value would not stop a training: NaN in `weights` draws one row for ever, and a loss that is a single number trains every
label alike. Each check returns the value as the engine needs it, or raises `EquipoiseError` with one line that names the hook,
the strategy and the shape. A training that diverges with legal values is no error here: a map may return NaN for NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from equipoise.contracts.rows import Rows
from equipoise.contracts.tasks import Task
from equipoise.core.arrays import is_sparse
from equipoise.core.errors import EquipoiseError, shown

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.strategy import Strategy


def sampling_weights(owner: Strategy, returned: Any, n: int) -> np.ndarray:
    """The weights (n,) or (S, n) that `weights` returned for n rows: finite, not negative, and not all zero at any moment."""
    w = _array(returned)
    if w is None or w.dtype.kind not in "fiu" or w.ndim not in (1, 2) or w.shape[-1] != n or not w.size:
        _refuse(owner, "weights", _kind(returned), f"numbers ({n},) or (S, {n}), one for each row")
    # Sums of half floats overflow, and those of integers may.
    w = w if w.dtype in (np.float32, np.float64) else w.astype(np.float64)
    if not np.isfinite(w).all():
        _refuse(owner, "weights", f"NaN or infinity in {_kind(w)}", "finite weights")
    if (w < 0).any():
        _refuse(owner, "weights", f"negative numbers in {_kind(w)}", "weights of at least 0")
    with np.errstate(over="ignore"):
        sums = w.sum(-1)
    if not ((sums > 0) & np.isfinite(sums)).all():
        _refuse(owner, "weights", f"{_kind(w)} with a sum of {sums.min():g}", "weights with a sum above 0")
    return w


def resampled_rows(owner: Strategy, returned: Any, before: Rows) -> Rows:
    """The rows that `resample` returned for the rows before it, with int64 positions, uint8 labels and the same features."""

    def refuse(got: str, needed: str) -> NoReturn:
        _refuse(owner, "resample", got, needed)

    if not isinstance(returned, Rows):
        refuse(_kind(returned), "Rows")
    index, Y, labels = _array(returned.index), _array(returned.Y), before.Y.shape[1]
    if index is None or index.ndim != 1 or index.dtype.kind not in "iu":
        refuse(f"an index of {_kind(returned.index)}", "whole numbers (m,)")
    if Y is None or Y.ndim != 2 or Y.shape[1] != labels or Y.dtype.kind not in "biuf":
        refuse(f"labels of {_kind(returned.Y)}", f"0 and 1, (m + s, {labels})")
    if not ((Y == 0) | (Y == 1)).all():
        refuse(f"labels of {_kind(Y)} with other values than 0 and 1", "0 and 1")
    synthetic = _synthetic(owner, returned.synthetic, before)
    n = len(index) + (0 if synthetic is None else synthetic.shape[0])
    if len(Y) != n or not n:
        refuse(f"labels of {len(Y)} rows for {n} rows", "labels for each row, at least one")
    index = index.astype(np.int64, copy=False)
    if not _among(index, before):
        refuse("rows that it was not given", "positions of the training rows")
    return Rows(
        index, Y.astype(np.uint8, copy=False), before.shared, synthetic, before.nominal, before.offered
    )


def sub_problems(owner: Strategy, returned: Any, Y: np.ndarray) -> Sequence[Task]:
    """The tasks that `tasks` returned for labels Y (n, L)."""
    if not isinstance(returned, list | tuple) or not returned:
        _refuse(owner, "tasks", _kind(returned), "a list of at least one Task")
    for number, task in enumerate(returned):
        if not isinstance(task, Task):
            _refuse(owner, "tasks", f"{_kind(task)} in a list", "a list of Task")
        if problem := task_problem(task, *Y.shape):
            _refuse(owner, "tasks", f"task {number} whose {problem}", "tasks that can be trained")
    return returned


def task_problem(task: Task, n: int, labels: int) -> str:
    """The first problem of a task by itself, for n rows and L labels; "" if there is none."""
    for name, columns in (("columns", task.columns), ("label_inputs", task.label_inputs)):
        whole = isinstance(columns, tuple) and all(isinstance(c, int | np.integer) for c in columns)
        if not whole or not all(0 <= c < labels for c in columns) or len(set(columns)) < len(columns):
            return f"{name} {shown(columns)} are not a tuple of different labels 0..{labels - 1}"
    if not task.columns or set(task.columns) & set(task.label_inputs):
        return "columns are empty, or overlap with label_inputs"
    if task.rows is not None:
        rows = _array(task.rows)
        inside = rows is not None and rows.ndim == 1 and rows.dtype.kind in "iu" and len(rows) > 0
        if rows is None or not inside or rows.min() < 0 or rows.max() >= n:
            return f"rows are not positions 0..{n - 1} (int, at least one)"
    if task.classes is not None:
        classes = _array(task.classes)
        if classes is None or classes.ndim != 2 or classes.shape[1] != len(task.columns) or not len(classes):
            return f"classes are {_kind(task.classes)}, not 0/1 (C, {len(task.columns)})"
        if not np.isin(classes, (0, 1)).all():
            return f"classes have other values than 0 and 1, (C, {len(task.columns)})"
        if len(np.unique(classes, axis=0)) < len(classes):
            return "two classes are the same labelset"
    return ""


def scores(owner: Strategy, hook: str, returned: Any, shape: tuple[int, ...], *inputs: np.ndarray) -> Any:
    """The logits (n, L) that a hook, or the map that it fitted, made of these inputs; finite if all of them are."""
    z = _array(returned)
    if z is None or z.dtype.kind != "f" or z.shape != shape:
        _refuse(owner, hook, _kind(returned), f"floats {shape}")
    # A network that diverged has no finite logits, and that is not this hook's doing.
    if not np.isfinite(z).all() and all(np.isfinite(array).all() for array in inputs):
        _refuse(owner, hook, f"NaN or infinity in {_kind(z)}, for finite logits", f"finite floats {shape}")
    return z


def decisions(owner: Strategy, hook: str, returned: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The decisions (n, L) bool that a hook, or the function that it fitted, returned; numbers may be 0 and 1 only."""
    out = _array(returned)
    if out is None or out.dtype.kind not in "biuf" or out.shape != shape:
        _refuse(owner, hook, _kind(returned), f"bool {shape}")
    if out.dtype != bool and not ((out == 0) | (out == 1)).all():
        _refuse(owner, hook, f"{_kind(out)} with other values than 0 and 1", f"bool {shape}")
    return out.astype(bool, copy=False)


def fitted(owner: Strategy, hook: str, returned: Any) -> Callable[..., Any]:
    """What `head`, `adjust` or `decide` returned: a function."""
    if not callable(returned):
        _refuse(owner, hook, _kind(returned), "a function of logits")
    function: Callable[..., Any] = returned
    return function


def threshold_values(owner: Strategy, values: Any, labels: int) -> np.ndarray:
    """The thresholds, one number or (L,), of a rule that `decide` returned; infinite ones predict nothing, or everything."""
    array = _array(values)
    if array is None or array.dtype.kind not in "fiu" or array.shape not in ((), (1,), (labels,)):
        _refuse(owner, "decide", f"thresholds of {_kind(values)}", f"one number or ({labels},)")
    if np.isnan(array).any():
        _refuse(owner, "decide", f"NaN in thresholds of {_kind(array)}", "thresholds that are numbers")
    return array


def losses(owner: Strategy, returned: Any, logits: Tensor) -> Tensor:
    """The loss (…, B, L) or (…, B) that `loss` returned for logits (…, B, L): a tensor of real floats.

    Its values are not read, since that would make a GPU wait in each step; see `equipoise.engine.loss.require_finite`.
    """
    shape = logits.shape
    right = getattr(returned, "shape", None) in (shape, shape[:-1]) and hasattr(returned, "is_floating_point")
    if not right or not returned.is_floating_point():
        _refuse(owner, "loss", _kind(returned), f"floats {tuple(shape)} or {tuple(shape[:-1])}, not averaged")
    loss: Tensor = returned
    return loss


def _synthetic(owner: Strategy, synthetic: Any, before: Rows) -> Any:
    """Features (s, d) of synthetic rows; None if there are none."""
    if synthetic is None or not getattr(synthetic, "shape", (1,))[0]:
        return None
    shared = before.shared
    if shared is None:
        _refuse(owner, "resample", "synthetic rows of inputs that are no numbers", "Rows without them")
    wanted = f"{'sparse' if is_sparse(shared) else 'dense'} numbers (s, {shared.shape[1]})"
    array = synthetic if is_sparse(synthetic) else _array(synthetic)
    if array is None or array.ndim != 2 or array.dtype.kind not in "fiu":
        _refuse(owner, "resample", f"synthetic features of {_kind(synthetic)}", wanted)
    if is_sparse(array) != is_sparse(shared) or array.shape[1] != shared.shape[1]:
        _refuse(owner, "resample", f"synthetic features of {_kind(array)}", wanted)
    if not np.isfinite(array.data if is_sparse(array) else array).all():
        _refuse(
            owner, "resample", f"NaN or infinity in synthetic features of {_kind(array)}", f"finite {wanted}"
        )
    return array


def _among(index: np.ndarray, before: Rows) -> bool:
    """Whether these positions are all among the rows before resampling, or among those that are offered."""
    known = before.index if before.offered is None else np.concatenate([before.index, before.offered.index])
    if not len(index):
        return True
    allowed = np.zeros(int(known.max(initial=0)) + 1, dtype=bool)
    allowed[known] = True
    return bool(index.min() >= 0 and index.max() < len(allowed) and allowed[index].all())


def _array(value: Any) -> np.ndarray | None:
    """The value as a plain array, which no subclass of a plugin can change any more; None if it is no array of numbers."""
    try:
        array = np.asarray(value)
    except Exception:
        return None
    return None if array.dtype.kind not in "biufc" else array


def _kind(value: Any) -> str:
    """The dtype and shape of an array or tensor; of anything else the type."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return type(value).__name__ if shape is None or dtype is None else f"{dtype} {tuple(shape)}"


def _refuse(owner: Strategy, hook: str, got: str, needed: str) -> NoReturn:
    raise EquipoiseError(f"{hook} of strategy {owner.name!r} returned {got}; it must return {needed}")
