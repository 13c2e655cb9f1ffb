"""Keeps the global state of a process: what a plugin changes there lasts no longer than the call in which it did."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch


def _set_folder(folder: str | None) -> None:
    # It may have been deleted meanwhile.
    with contextlib.suppress(OSError):
        os.chdir(folder or os.sep)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _set_collecting(on: bool) -> None:
    (gc.enable if on else gc.disable)()


def _set_streams(streams: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = streams


def _numpy_generator() -> Any:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - the legacy global generator is what is kept
    return name, tuple(np.asarray(keys).tolist()), *rest


def _set_torch_generator(state: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


#: How each part of the state is read, as a value that can be compared, and how it is set.
_PARTS: tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (lambda: str(torch.get_default_device()), torch.set_default_device),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (lambda: torch.get_rng_state().numpy().tobytes(), _set_torch_generator),
    (_numpy_generator, np.random.set_state),
    (random.getstate, random.setstate),
    (np.geterr, lambda modes: np.seterr(**modes)),
    (_folder, _set_folder),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (gc.isenabled, _set_collecting),
    (lambda: (sys.stdout, sys.stderr), _set_streams),
)


@contextlib.contextmanager
def state_kept() -> Iterator[None]:
    """Restore at the end of the block: PyTorch's and NumPy's settings, random generators, folder, environment and filters."""
    before = [read() for read, _ in _PARTS]
    environment, filters, modules = dict(os.environ), list(warnings.filters), len(sys.modules)
    try:
        yield
    finally:
        for value, (read, put) in zip(before, _PARTS, strict=True):
            if read() != value:
                put(value)
        # Libraries that are imported for the first time may add variables and filters that they need.
        imported = len(sys.modules) > modules
        _restore_environment(environment, keep_new=imported)
        if not imported and warnings.filters != filters:
            # In place, since other modules hold a reference to the list.
            warnings.filters[:] = filters  # type: ignore[index]
            # Otherwise Python would go by what it has remembered under the other filters.
            warnings._filters_mutated()  # type: ignore[attr-defined]


@contextlib.contextmanager
def arithmetic_kept() -> Iterator[None]:
    """Restore at the end of the block what other lanes of a training step depend on: the default dtype and the threads."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def _restore_environment(before: dict[str, str], *, keep_new: bool) -> None:
    if os.environ == before:
        return
    for name in [] if keep_new else set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
