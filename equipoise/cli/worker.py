"""`equipoise worker`: run cells for a sweep whose driver is somewhere else."""

from __future__ import annotations

import os
from pathlib import Path

from equipoise.cluster.address import Address
from equipoise.cluster.worker import Supervisor
from equipoise.core.output import echo
from equipoise.readers.downloads import ENVIRONMENT


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
    if warning := at.warning():
        echo(warning, to_err=True)
    if data_dir is not None:
        # Worker processes find it in their environment.
        os.environ[ENVIRONMENT] = str(data_dir.resolve())
    Supervisor(at, workers, host, port).run()
