"""The address of a scheduler, TLS, and the import of dask.distributed (extra `cluster`)."""

from __future__ import annotations

import ipaddress
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core.errors import EquipoiseError

if TYPE_CHECKING:
    from types import ModuleType

_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9A-Fa-f:.]+\]|[^:/\s\[\]]+):(\d{1,5})")
#: The loggers of these libraries repeat, in tracebacks, what `equipoise` says in a line.
_LOGGERS = ("distributed", "distributed.client", "distributed.worker", "distributed.scheduler", "tornado")


@dataclass(frozen=True)
class Address:
    """Where a scheduler listens, with the files that encrypt the connection.

    Attributes:
        url: tcp://HOST:PORT, or tls://HOST:PORT.
        tls_ca, tls_cert, tls_key: PEM files, as `dask scheduler --tls-ca-file …` takes them; all three or none.

    Raises:
        EquipoiseError: it is no such address, a file is missing, or TLS files and tls:// do not go together.
    """

    url: str
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        found = _ADDRESS.fullmatch(self.url)
        if found is None or not 0 < int(found[3]) < 65536:
            raise EquipoiseError(
                f"a cluster is tcp://HOST:PORT (or tls://HOST:PORT), the address of its scheduler; got {self.url!r:.100}"
            )
        files = {"--tls-ca": self.tls_ca, "--tls-cert": self.tls_cert, "--tls-key": self.tls_key}
        given = [name for name, file in files.items() if file is not None]
        if (found[1] == "tls") != bool(given) or len(given) not in (0, 3):
            raise EquipoiseError(f"tls:// goes with all of {', '.join(files)}, and tcp:// with none of them")
        for name, file in files.items():
            if file is not None and not Path(file).is_file():
                raise EquipoiseError(f"{name}: no file at {file}")

    @property
    def host(self) -> str:
        """The host name or IP address."""
        return self.url.partition("://")[2].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.url.rpartition(":")[2])

    def warning(self) -> str | None:
        """One line if the connection is open to everybody on the internet who knows the address; else None."""
        try:
            public = ipaddress.ip_address(self.host).is_global
        except ValueError:  # a name, which may stand for anything
            return None
        if not public or self.tls_ca is not None:
            return None
        return (
            f"{self.url} is a public address, and dask runs the code of whoever reaches it: use TLS (--tls-ca, "
            "--tls-cert, --tls-key) unless a firewall closes this port"
        )

    def security(self) -> Any:
        """The `distributed.Security` of clients and workers; None without TLS."""
        if self.tls_ca is None:
            return None
        pair = {"cert": str(self.tls_cert), "key": str(self.tls_key)}
        return distributed().Security(
            tls_ca_file=str(self.tls_ca),
            require_encryption=True,
            **{f"tls_{role}_{part}": file for role in ("client", "worker") for part, file in pair.items()},
        )


def distributed() -> ModuleType:
    """Import dask.distributed, with its loggers silent.

    Raises:
        EquipoiseError: it is not installed.
    """
    try:
        import dask
    except ImportError:
        raise EquipoiseError(
            "--cluster and `equipoise worker` need dask.distributed: pip install 'equipoise[cluster]'"
        ) from None
    # Before the import: distributed sets its loggers up when it is imported.
    dask.config.set({"logging": dict.fromkeys(_LOGGERS, "critical")})
    try:
        import distributed as module
    except ImportError as error:
        raise EquipoiseError(f"dask.distributed cannot be imported: {error}") from None
    # Versions are compared by `equipoise.cluster.identity`, which refuses a worker instead of warning.
    warnings.filterwarnings("ignore", category=module.versions.VersionMismatchWarning)
    return module
