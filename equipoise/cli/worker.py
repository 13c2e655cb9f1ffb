"""`equipoise worker`: run cells for a sweep whose driver is somewhere else."""

from __future__ import annotations

import os
from pathlib import Path

from equipoise.cluster.address import Address
from equipoise.cluster.worker import Supervisor
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo
from equipoise.core.paths import user_path
from equipoise.readers.downloads import ENVIRONMENT
from equipoise.sweep.worker_count import MOST_WORKERS

#: The highest TCP port.
LAST_PORT = 65535


def worker(
    address: str,
    *,
    workers: int,
    host: str | None,
    port: int | None,
    data_dir: Path | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Start worker processes and look after them until Ctrl-C or SIGTERM."""
    at = Address(address, tls_ca, tls_cert, tls_key)
    if workers > MOST_WORKERS:
        raise EquipoiseError(f"--workers must be {MOST_WORKERS} or fewer, got {workers}")
    if port is not None and port + workers - 1 > LAST_PORT:
        raise EquipoiseError(
            f"{workers} workers from port {port} need one each up to {port + workers - 1}; the last is {LAST_PORT}"
        )
    if warning := at.warning():
        echo(warning, to_err=True)
    if data_dir is not None:
        # Worker processes find it in their environment.
        os.environ[ENVIRONMENT] = str(user_path(data_dir).resolve())
    Supervisor(at, workers, host, port).run()
