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
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from equipoise.contracts.strategy import Strategy
from equipoise.testing.worlds import dense

#: The worlds in which results are compared: three, because every hook runs again in each.
WORLDS = ("usual", "duplicate rows", "300 labels")
#: Digests of results by (hook, world).
Digests: TypeAlias = dict[tuple[str, str], str]
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


def ask(plugin: Any, task: str = "equipoise.testing.twin:digests", *arguments: str) -> bool:
    """Send a strategy, backbone or data set source to the second process, which starts to work; then call `answer` once.

    Returns False if it cannot be sent: its class is local to a function, or its fields cannot be pickled.

    Args:
        task: the function there that is called with the plugin, as module:name; it returns digests by (hook, world).
        arguments: of that function, after the plugin.
    """
    cls = type(plugin)
    module = sys.modules.get(cls.__module__)
    if "<locals>" in cls.__qualname__ or module is None:
        return False
    # The class by name and file instead of pickled: a plugin file cannot be imported by its module name over there.
    values = {k: v for k, v in vars(plugin).items() if k != "pinned"}
    try:
        job = pickle.dumps(
            (
                os.getcwd(),
                cls.__module__,
                getattr(module, "__file__", None),
                cls.__qualname__,
                values,
                task,
                arguments,
            )
        )
    except Exception:
        return False
    jobs = _job_pipe()
    pickle.dump(job, jobs)
    jobs.flush()
    return True


def answer() -> Digests | None:
    """Digests of the hooks' results in the second process, by (hook, world); None if it could not load the plugin."""
    assert _process is not None
    assert _process.stdout is not None
    try:
        found: Digests | None = pickle.load(_process.stdout)
    except (OSError, EOFError):
        return None
    return found


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
            found = _work(*pickle.loads(job))
        except Exception:
            found = None
        pickle.dump(found, answers)
        answers.flush()


def _work(
    folder: str,
    module: str,
    file: str | None,
    name: str,
    values: Mapping[str, Any],
    task: str,
    arguments: Sequence[str],
) -> Digests:
    """The digests of a plugin, which is its class with these values in its fields, computed in the folder of the asker."""
    # The folder may have changed since this process was started, and relative paths must mean the same files here and there.
    os.chdir(folder)
    cls: Any = _module(module, file)
    for part in name.split("."):
        cls = getattr(cls, part)
    # Not by its constructor, which need not take all fields.
    plugin = object.__new__(cls)
    plugin.__dict__.update({"pinned": frozenset()} | dict(values))
    home, _, function = task.partition(":")
    out: Digests = getattr(importlib.import_module(home), function)(plugin, *arguments)
    return out


def digests(strategy: Strategy) -> Digests:
    """The digests of the results of a strategy's hooks in some worlds."""
    from equipoise.testing.exam import Exam, Stopped
    from equipoise.testing.worlds import suitable_worlds

    exam = Exam(strategy)
    for hook in exam.strategy.stages:
        for world in suitable_worlds(strategy.requires):
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
