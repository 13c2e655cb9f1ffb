"""What the machine has for this process: CPUs and memory, as the system and the container say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def cpus() -> int:
    """CPUs this process may use: those of its affinity mask, fewer where its container has a smaller share."""
    from joblib import cpu_count

    return max(1, int(cpu_count()))


def memory() -> int | None:
    """Bytes that may still be taken, as the system and the container say; None where neither says (not Linux)."""
    known = [_free_here(), _free_in_container()]
    return min((n for n in known if n is not None), default=None)


def _free_here(file: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in file.read_text(encoding="ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _free_in_container(
    folder: Path = Path("/sys/fs/cgroup"), mine: Path = Path("/proc/self/cgroup")
) -> int | None:
    """What this process' control groups (version 2 or 1), or those of the container, leave."""
    found = []
    for base, names in _groups(folder, mine):
        try:
            limit, used = (int((base / name).read_text()) for name in names)
            stat = dict(line.split() for line in (base / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue  # no such group, or no limit ("max")
        cached = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))  # given up when asked for
        found.append(max(0, limit - used + cached))
    return min(found, default=None)


def _groups(folder: Path, mine: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    """The folder of each group that bounds memory, and the names of its files for the limit and for what is used."""
    try:
        lines = [line.split(":", 2) for line in mine.read_text(encoding="utf-8").splitlines()]
    except OSError:
        lines = []
    second, first = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for root, controller, names in ((folder, "", second), (folder / "memory", "memory", first)):
        yield root, names
        for line in lines:
            if line[1:2] == [controller] and line[2].strip("/"):
                yield root / line[2].strip("/"), names
