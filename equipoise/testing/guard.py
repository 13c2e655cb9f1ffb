"""Watch what a hook does outside of itself: generators, settings, environment, files, its arguments."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

#: Audit events that mean: something outside of this process is changed or asked.
_EVENTS = frozenset(
    {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.system"}
    | {"socket.connect", "subprocess.Popen", "os.posix_spawn", "os.fork"}
)
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

_seen: list[str] | None = None
_installed = False


def _numpy_state() -> Any:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - it is the one that is watched
    return name, np.asarray(keys).tobytes(), *rest


_FILTERS = "the warning filters"
#: what → how to read it as something that can be compared.
_STATE: dict[str, Callable[[], Any]] = {
    "NumPy's global generator": _numpy_state,
    "Python's global generator": random.getstate,
    "PyTorch's global generator": lambda: torch.get_rng_state().numpy().tobytes(),
    "PyTorch's default dtype": torch.get_default_dtype,
    "PyTorch's default device": lambda: str(torch.get_default_device()),
    "PyTorch's number of threads": torch.get_num_threads,
    "PyTorch's deterministic mode": torch.are_deterministic_algorithms_enabled,
    "PyTorch's gradient mode": torch.is_grad_enabled,
    "NumPy's error settings": lambda: tuple(sorted(np.geterr().items())),
    "NumPy's print options": lambda: repr(np.get_printoptions()),
    "the environment": lambda: dict(os.environ),
    "the working directory": os.getcwd,
    _FILTERS: lambda: list(warnings.filters),
}


@contextmanager
def unchanged(report: Callable[[str], None]) -> Iterator[None]:
    """Report every global thing that changes inside, and put it back.

    A library that is imported inside for the first time may bring warning filters of its own.
    """
    before = {what: read() for what, read in _STATE.items()}
    modules, saved = len(sys.modules), _saved()
    with _audited() as events:
        try:
            yield
        finally:
            moved = [what for what, read in _STATE.items() if read() != before[what]]
            if len(sys.modules) > modules:
                moved = [what for what in moved if what != _FILTERS]
            if moved:
                _put_back(*saved)
            for what in (*(f"{m} was changed" for m in moved), *events):
                report(what)


def _saved() -> tuple[Any, ...]:
    dtype, threads, folder = torch.get_default_dtype(), torch.get_num_threads(), os.getcwd()
    generators = (np.random.get_state(), random.getstate(), torch.get_rng_state())  # noqa: NPY002
    modes = (torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled(), np.geterr())
    return (
        dtype,
        threads,
        folder,
        generators,
        modes,
        np.get_printoptions(),
        dict(os.environ),
        list(warnings.filters),
    )


def _put_back(
    dtype: Any,
    threads: int,
    folder: str,
    generators: Any,
    modes: Any,
    shown: Any,
    environment: Any,
    filters: Any,
) -> None:
    torch.set_default_device(None)
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    os.chdir(folder)
    np.random.set_state(generators[0])  # noqa: NPY002
    random.setstate(generators[1])
    torch.set_rng_state(generators[2])
    torch.use_deterministic_algorithms(modes[0])
    torch.set_grad_enabled(modes[1])
    np.seterr(**modes[2])
    np.set_printoptions(**{k: v for k, v in shown.items() if k != "override_repr"})
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    warnings.filters[:] = filters  # type: ignore[index]


@contextmanager
def _audited() -> Iterator[list[str]]:
    """What Python's audit events say about files, processes and sockets meanwhile."""
    global _seen, _installed
    if not _installed:
        sys.addaudithook(_hear)
        _installed = True
    outer, _seen = _seen, []
    try:
        yield _seen
    finally:
        _seen = outer


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event in _EVENTS:
        _seen.append(f"{event}({', '.join(map(repr, arguments[:2]))})")
    elif event == "open" and _is_write(*arguments):
        _seen.append(f"the file {arguments[0]!r} was written")


def _is_write(path: Any, mode: str | None, flags: int) -> bool:
    text = os.fsdecode(path) if isinstance(path, str | bytes) else ""
    cache = "__pycache__" in text or text == os.devnull
    return bool(text) and not cache and bool(flags & _WRITE_FLAGS or set(mode or "") & set("wax+"))


def frozen(obj: Any) -> Any:
    """A copy of arguments, to compare with later: arrays, tensors, sparse matrices, and dataclasses of those."""
    if isinstance(obj, np.ndarray) or hasattr(obj, "tocsr"):
        return obj.copy()
    if isinstance(obj, torch.Tensor):
        return obj.detach().clone()
    if isinstance(obj, list | tuple):
        return [frozen(part) for part in obj]
    if isinstance(obj, Mapping):
        return {name: frozen(part) for name, part in obj.items()}
    if hasattr(obj, "__dataclass_fields__"):
        return {name: frozen(getattr(obj, name)) for name in obj.__dataclass_fields__}
    return None if isinstance(obj, np.random.Generator) else obj


def same(a: Any, b: Any) -> bool:
    """Whether two frozen things are equal bit for bit (NaN equals NaN), dtype and shape included."""
    if type(a) is not type(b):
        return False
    if hasattr(a, "tocsr"):
        return same([a.data, a.indices, a.indptr, a.shape], [b.data, b.indices, b.indptr, b.shape])
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and (a.tobytes() == b.tobytes())
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bool(torch.equal(a.nan_to_num(), b.nan_to_num()))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread in PyTorch, BLAS and OpenMP: bits depend on their number, and small arrays only lose by more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
