"""The CPUs and the memory that this process may use, within the limits of its container; a pause of the garbage collector."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path


def cpus() -> int:
    """Return the number of usable CPUs: those of the affinity mask, or fewer if the container has a smaller quota."""
    # `os.cpu_count` knows neither the affinity mask nor the quota of a container.
    from joblib import cpu_count

    return max(1, int(cpu_count()))


def memory() -> int | None:
    """Return the bytes of memory still available to this process; None where that is unknown (not Linux)."""
    known = [_free_here(), _free_in_container()]
    return min((n for n in known if n is not None), default=None)


def _free_here(file: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in file.read_text(encoding="ascii").splitlines())
        # The kernel writes kB and means 1024 bytes.
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _free_in_container(
    folder: Path = Path("/sys/fs/cgroup"), mine: Path = Path("/proc/self/cgroup")
) -> int | None:
    """The bytes left by the control groups (version 2 or 1) of this process or of the container."""
    found = []
    for base, names in _groups(folder, mine):
        try:
            limit, used = (int((base / name).read_text()) for name in names)
            stat = dict(line.split() for line in (base / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue  # there is no such group, or it has no limit ("max")
        # The page cache counts as used, but the kernel frees it on demand.
        cached = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
        found.append(max(0, limit - used + cached))
    return min(found, default=None)


def _groups(folder: Path, mine: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Yield the folder of each memory control group, and the names of its files for the limit and for the usage."""
    try:
        lines = [line.split(":", 2) for line in mine.read_text(encoding="utf-8").splitlines()]
    except OSError:
        lines = []
    second, first = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for root, controller, names in ((folder, "", second), (folder / "memory", "memory", first)):
        # In a container its own group is usually the root of the tree; elsewhere the group is named in `mine`.
        yield root, names
        for line in lines:
            if line[1:2] == [controller] and line[2].strip("/"):
                yield root / line[2].strip("/"), names


def address_space() -> tuple[int, int] | None:
    """The limit on the addresses of this process (`ulimit -v`) and what it uses of them, in bytes; None without a limit."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        # In pages.
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return None
    return limit, used


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector of reference cycles while very many objects without cycles are made."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
