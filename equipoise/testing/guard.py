"""Detects side effects of a hook: on random generators, settings, the environment, files and its arguments."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from equipoise.core.errors import one_line

#: Python audit events for changes to files and for contact with other processes or the network.
_EVENTS = frozenset(
    {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.system"}
    | {"socket.connect", "subprocess.Popen", "os.posix_spawn", "os.fork"}
)
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

_events: list[str] | None = None  # events of the innermost `_audited` block, None outside of any
_others: frozenset[int | None] = (
    frozenset()
)  # threads that were there before that block: what they do is not the hook's doing
_installed = False


def _numpy_state() -> Any:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - the legacy global generator is what is watched
    return name, np.asarray(keys).tobytes(), *rest


_FILTERS = "the warning filters"
#: Global state: name → function that reads it as a comparable value.
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
    """Report every change of global state inside the block, and restore the state afterwards.

    Raises:
        RuntimeError: in the place of a `SystemExit` or `GeneratorExit` inside the block.
    """
    before = {name: read() for name, read in _STATE.items()}
    modules, saved = len(sys.modules), _save_state()
    with _audited() as events:
        try:
            yield
        # Neither is an `Exception`: it would end the command, with exit code 0 as if nothing had been found.
        except (SystemExit, GeneratorExit) as error:
            raise RuntimeError(f"it ends the process: {one_line(error)}") from error
        finally:
            changed = [name for name, read in _STATE.items() if read() != before[name]]
            # A library that is imported for the first time may add warning filters; that is not a side effect of the hook.
            if len(sys.modules) > modules:
                changed = [name for name in changed if name != _FILTERS]
            if changed:
                _restore_state(*saved)
            for problem in (*(f"{name} was changed" for name in changed), *events):
                report(problem)


def _save_state() -> tuple[Any, ...]:
    """The arguments of `_restore_state` for the present state."""
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


def _restore_state(
    dtype: Any,
    threads: int,
    folder: str,
    generators: Any,
    modes: Any,
    print_options: Any,
    environment: Any,
    filters: Any,
) -> None:
    torch.set_default_device(None)  # None is the state before any call of it
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)
    os.chdir(folder)
    np.random.set_state(generators[0])  # noqa: NPY002
    random.setstate(generators[1])
    torch.set_rng_state(generators[2])
    torch.use_deterministic_algorithms(modes[0])
    torch.set_grad_enabled(modes[1])
    np.seterr(**modes[2])
    # NumPy returns `override_repr`, but rejects it as an argument.
    np.set_printoptions(**{k: v for k, v in print_options.items() if k != "override_repr"})
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    warnings.filters[:] = filters  # type: ignore[index]  # in place: other modules hold a reference to the list


@contextmanager
def _audited() -> Iterator[list[str]]:
    """Descriptions of the audit events about files, processes and sockets inside the block.

    Events are of this process only, and of this thread and those that it starts.
    """
    global _events, _installed, _others
    # Python cannot remove an audit hook, so there is one for the life of the process, which is idle outside of these blocks.
    if not _installed:
        sys.addaudithook(_on_event)
        _installed = True
        # The first question for the folder of temporary files writes a file there to try it, whoever asks.
        tempfile.gettempdir()
    outer = (_events, _others)
    _events, _others = [], frozenset(t.ident for t in threading.enumerate()) - {threading.get_ident()}
    try:
        yield _events
    finally:
        _events, _others = outer


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is None or threading.get_ident() in _others:
        return
    if event in _EVENTS:
        _events.append(f"{event}({', '.join(map(repr, arguments[:2]))})")
    elif event == "open" and _is_write(*arguments):
        _events.append(f"the file {arguments[0]!r} was written")


def _is_write(path: Any, mode: str | None, flags: int) -> bool:
    """Whether an `open` event is for writing to a file other than Python's own caches."""
    text = os.fsdecode(path) if isinstance(path, str | bytes) else ""
    cache = "__pycache__" in text or text == os.devnull
    return bool(text) and not cache and bool(flags & _WRITE_FLAGS or set(mode or "") & set("wax+"))


def frozen(obj: Any) -> Any:
    """A deep copy for a later comparison: arrays, tensors, sparse matrices, and containers and dataclasses of these."""
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
    # Random generators are left out: drawing from them, as hooks should, changes their state.
    return None if isinstance(obj, np.random.Generator) else obj


def same(a: Any, b: Any) -> bool:
    """Whether two results of `frozen` are equal bit for bit, with dtype and shape; NaN equals NaN."""
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
    """Use one thread in PyTorch, BLAS and OpenMP inside the block."""
    # The last bits of sums depend on the number of threads; and on arrays this small, more threads are slower.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
