"""`equipoise ui`: serve MLflow's pages for the database of one store, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from equipoise.core.errors import EquipoiseError

GRACE = 10.0  # seconds from SIGTERM to SIGKILL


def command(store_path: str | os.PathLike[str], host: str, port: int) -> list[str]:
    """Return the program and arguments that serve the store's database.

    One worker is enough for one reader; every further one takes its own start-up time and about 300 MB.
    """
    path = Path(store_path).resolve()
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", f"sqlite:///{(path / 'mlflow.db').as_posix()}"),
        *("--registry-store-uri", f"sqlite:///{(path / 'mlflow.db').as_posix()}"),
        *("--default-artifact-root", (path / "mlartifacts").as_uri()),
        *("--host", host, "--port", str(port), "--workers", "1"),
        *("--uvicorn-opts", "--log-level=warning"),
    ]


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for the server: no job workers (they cost seconds and memory), no telemetry."""
    return {
        **(os.environ if base is None else base),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",  # users cannot act on deprecations inside the server
    }


def check(store_path: str | os.PathLike[str], host: str, port: int) -> None:
    """Raise EquipoiseError where the store has no database, or the address cannot be listened on."""
    path = Path(store_path)
    if not (path / "mlflow.db").is_file():
        raise EquipoiseError(
            f"no MLflow database in {path}; `equipoise run … --results {path}` makes one"
            if not (path / "rows.jsonl").is_file()
            else f"no MLflow database in {path} yet, only rows; run the same `equipoise run` again to write it"
        )
    if not 0 < port < 65536:
        raise EquipoiseError(f"port {port} is not between 1 and 65535")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            if os.name == "posix":  # on Windows this option would let two servers share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror or str(error)
        raise EquipoiseError(
            f"cannot listen on {host}:{port} ({why}); choose another --port or --host"
        ) from None


def pages(store_path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Return each experiment's name and the page of its runs; MLflow's own first page is for language-model traces."""
    wanted = "SELECT name, experiment_id FROM experiments WHERE lifecycle_stage = 'active' ORDER BY name"
    try:
        with contextlib.closing(sqlite3.connect(Path(store_path) / "mlflow.db")) as database:
            found = database.execute(wanted).fetchall()
    except sqlite3.Error:  # the server will say what is wrong with it
        return []
    return [(name, f"#/experiments/{number}/runs?workflowType=machine_learning") for name, number in found]


@contextlib.contextmanager
def started(store_path: str | os.PathLike[str], host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server inside a `with`; it and every process it started are gone afterwards."""
    check(store_path, host, port)
    # A session of its own: Ctrl-C reaches us alone, and we end the whole group.
    server = subprocess.Popen(command(store_path, host, port), env=environment(), start_new_session=True)
    try:
        yield server
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    for ask in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(server.pid, ask)
            else:
                server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE)


def serve(store_path: str | os.PathLike[str], host: str = "127.0.0.1", port: int = 5000) -> int:
    """Serve the store's MLflow pages until Ctrl-C (or SIGTERM); return the server's exit code, 0 when we ended it.

    Raises EquipoiseError when the store has no database or the port is taken.
    """
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with started(store_path, host, port) as server:
            print(f"MLflow on http://{host}:{port} (Ctrl-C ends it)")
            for name, page in pages(store_path):
                print(f"  {name}: http://{host}:{port}/{page}")
            sys.stdout.flush()
            return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
