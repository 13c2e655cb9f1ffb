"""Runs hooks in a second process with another hash seed and another clock, where they must give the same results.

This finds results that depend on the iteration order of sets, on the time, or on what ran before in this process.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.strategy import Strategy
from equipoise.testing.worlds import dense

#: The worlds in which results are compared: three, because every hook runs again in each.
WORLDS = ("usual", "duplicate rows", "300 labels")
_process: subprocess.Popen[bytes] | None = None


def digest(obj: Any) -> str:
    """SHA-256 (hex) of arrays and plain values, nested in lists and dicts."""
    return hashlib.sha256(b"\x1f".join(_parts(obj))).hexdigest()


def _parts(obj: Any) -> Iterator[bytes]:
    if sp.issparse(obj):
        yield from _parts(dense(obj))
    elif isinstance(obj, np.ndarray):
        yield f"{obj.dtype}{obj.shape}".encode()
        yield obj.tobytes()
    elif isinstance(obj, Mapping):
        for name in obj:
            yield str(name).encode()
            yield from _parts(obj[name])
    elif isinstance(obj, list | tuple):
        for part in obj:
            yield from _parts(part)
    else:
        yield repr(obj).encode()


def ask(strategy: Strategy) -> bool:
    """Send a strategy to the second process, which starts to work; then call `answer` once.

    Returns False if the strategy cannot be sent: its class is local to a function, or its fields cannot be pickled.
    """
    cls = type(strategy)
    module = sys.modules.get(cls.__module__)
    if "<locals>" in cls.__qualname__ or module is None:
        return False
    # The class by name and file instead of pickled: a plugin file cannot be imported by its module name over there.
    values = {k: v for k, v in vars(strategy).items() if k != "pinned"}
    try:
        job = pickle.dumps((cls.__module__, getattr(module, "__file__", None), cls.__qualname__, values))
    except Exception:
        return False
    jobs = _job_pipe()
    pickle.dump(job, jobs)
    jobs.flush()
    return True


def answer() -> dict[tuple[str, str], str] | None:
    """Digests of the hooks' results in the second process, by (hook, world); None if it could not load the strategy."""
    assert _process is not None
    assert _process.stdout is not None
    try:
        digests: dict[tuple[str, str], str] | None = pickle.load(_process.stdout)
    except (OSError, EOFError):
        return None
    return digests


def _job_pipe() -> IO[bytes]:
    """The standard input of the second process, which is started if it is not running."""
    global _process
    if _process is None or _process.poll() is not None:
        # The seed must differ from this process's, which may itself have been started with a fixed one.
        seed = "4321" if os.environ.get("PYTHONHASHSEED") == "1234" else "1234"
        path = os.pathsep.join(p for p in sys.path if p)
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path} | one_thread
        code = "from equipoise.testing.twin import serve; serve()"
        _process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        atexit.register(_process.kill)
    assert _process.stdin is not None
    return _process.stdin


def serve() -> None:
    """The main loop of the second process: works on jobs from standard input until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    # Standard output becomes standard error: what a strategy prints must not mix with the answers.
    os.dup2(2, 1)
    clock = time.time
    time.time = lambda: clock() + 86400.0  # a day later, so that results that depend on the time differ
    time.time_ns = lambda: int(time.time() * 1e9)
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            digests = _digests(*pickle.loads(job))
        except Exception:
            digests = None
        pickle.dump(digests, answers)
        answers.flush()


def _digests(
    module: str, file: str | None, name: str, values: Mapping[str, Any]
) -> dict[tuple[str, str], str]:
    from equipoise.contracts.hyperparameters import bind
    from equipoise.testing.exam import Exam, Stopped
    from equipoise.testing.worlds import suitable_worlds

    obj: Any = _module(module, file)
    for part in name.split("."):
        obj = getattr(obj, part)
    exam = Exam(bind(obj(), values))
    for hook in exam.strategy.stages:
        for world in suitable_worlds(obj.requires):
            if world.name in WORLDS and hook != "loss":
                try:
                    exam.again(hook, world)
                except Stopped:  # the main process notes failures
                    continue
    return {hook_and_world: digest(result) for hook_and_world, result in exam.results.items()}


def _module(name: str, file: str | None) -> Any:
    """The module of a strategy, imported by name, or else from its file."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if file is None:
            raise
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
