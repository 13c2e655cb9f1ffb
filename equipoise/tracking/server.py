"""`equipoise ui`: serves MLflow's pages for the database of one store until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.tracking.database import database_uri
from equipoise.tracking.views import PREFIX, WHO_WON
from equipoise.tracking.writer import MlflowWriter

#: What opens the first saved view of an experiment, see `equipoise.tracking.views`.
_VIEW = f"viewStateShareKey={WHO_WON}&"
GRACE = 10.0  # seconds that the server gets to end by itself before it is killed


def command(store_path: str | os.PathLike[str], host: str, port: int) -> list[str]:
    """The command line that serves the store's database."""
    path = Path(store_path).resolve()
    # One worker is enough for one user; each further one takes seconds to start and about 300 MB.
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", database_uri(path / "mlflow.db")),
        *("--registry-store-uri", database_uri(path / "mlflow.db")),
        *("--default-artifact-root", (path / "mlartifacts").as_uri()),
        *("--host", host, "--port", str(port), "--workers", "1"),
        *("--uvicorn-opts", "--log-level=warning"),
    ]


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the server, by default this process's, with MLflow's extras turned off."""
    return {
        **(os.environ if base is None else base),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # job workers cost seconds and memory, and are not used
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",  # deprecation warnings inside MLflow do not concern the user
    }


def check(store_path: str | os.PathLike[str], host: str, port: int) -> None:
    """Raise EquipoiseError if the store has no database, or if the address cannot be listened on."""
    path = Path(store_path)
    if not (path / "mlflow.db").is_file():
        raise EquipoiseError(
            f"no MLflow database in {path}; `equipoise run … --results {path}` creates one"
            if not (path / "rows.jsonl").is_file()
            else f"no MLflow database in {path} yet, only rows; repeat the same `equipoise run` to write it"
        )
    if not 0 < port < 65536:
        raise EquipoiseError(f"port {port} is not between 1 and 65535")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            # Without it, a port stays blocked for a minute after its last server. On Windows the option would let two servers
            # share the port.
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror or str(error)
        raise EquipoiseError(
            f"cannot listen on {host}:{port} ({why}); choose another --port or --host"
        ) from None


def pages(store_path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """The name of each experiment and the address of its page of runs, relative to the server."""
    # Direct links, because MLflow's start page is for language-model traces.
    query = """
        SELECT name, experiments.experiment_id, tags.key FROM experiments
        LEFT JOIN experiment_tags AS tags ON tags.experiment_id = experiments.experiment_id AND tags.key = ?
        WHERE lifecycle_stage = 'active' ORDER BY name
    """
    try:
        with contextlib.closing(sqlite3.connect(Path(store_path) / "mlflow.db")) as database:
            experiments = database.execute(query, (f"{PREFIX}{WHO_WON}",)).fetchall()
    except sqlite3.Error:  # the server itself reports what is wrong with its database
        return []
    return [
        (name, f"#/experiments/{number}/runs?{_VIEW if key else ''}workflowType=machine_learning")
        for name, number, key in experiments
    ]


def refresh(store_path: str | os.PathLike[str]) -> None:
    """Write what MLflow lacks of a store, unless a sweep is running, which does that itself. Problems are printed."""
    store = Store(store_path)
    if not store.rows_file.is_file():
        return
    try:
        with store.locked():
            MlflowWriter(store, print).close(before=lambda: print("updating the MLflow view", flush=True))
    except (EquipoiseError, OSError):  # also a folder that may only be read; what is there can be shown
        return


def open_when_ready(host: str, port: int, url: str, server: subprocess.Popen[bytes]) -> None:
    """Open a page in the user's browser as soon as the server answers."""
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            webbrowser.open(url)
            return
        time.sleep(0.2)


def has_browser() -> bool:
    """Whether a page can be shown: this process talks to a person, and there is a desktop."""
    # Without a desktop, Python would start a browser for the terminal.
    desktop = sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return desktop and sys.stdout.isatty()


@contextlib.contextmanager
def started(store_path: str | os.PathLike[str], host: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server inside a `with` block; afterwards it has ended, with every process it has started."""
    check(store_path, host, port)
    # In its own session, so that Ctrl-C reaches only this process, which then ends the whole group in order.
    server = subprocess.Popen(command(store_path, host, port), env=environment(), start_new_session=True)
    try:
        yield server
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its processes: politely first, then by force."""
    for sig in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(server.pid, sig)
            else:  # Windows has no process groups to signal
                server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE)


def serve(
    store_path: str | os.PathLike[str],
    host: str = "127.0.0.1",
    port: int = 5000,
    browser: bool | None = False,
) -> int:
    """Serve the store's MLflow pages until Ctrl-C or SIGTERM. Returns 0 then, or the exit code of a server that ended itself.

    First, what MLflow lacks of the store is written. `browser`: whether to open the first page; None: if there is a desktop.
    Raises EquipoiseError if the store has no database or the port is taken.
    """
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        refresh(store_path)
        with started(store_path, host, port) as server:
            print(f"MLflow on http://{host}:{port} (Ctrl-C ends it)")
            urls = [(name, f"http://{host}:{port}/{page}") for name, page in pages(store_path)]
            for name, url in urls:
                print(f"  {name}: {url}")
            sys.stdout.flush()  # or, in a pipe, the addresses would appear only when the server has ended
            if urls and (has_browser() if browser is None else browser):
                opening = (host, port, urls[0][1], server)
                threading.Thread(target=open_when_ready, args=opening, daemon=True).start()
            return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
