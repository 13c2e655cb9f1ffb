"""Times in the units that people read."""

from __future__ import annotations

#: Unit, the smallest time that is given in it, and its seconds.
_UNITS = (
    ("d", 172_800.0, 86_400.0),
    ("h", 3600.0, 3600.0),
    ("min", 60.0, 60.0),
    ("s", 1.0, 1.0),
    ("ms", 1e-3, 1e-3),
)


def in_unit(seconds: float) -> str:
    """A time to three digits below a minute and to two above, such as "3.24 ms", "42.1 s", "1.7 min" or "3.1 h"."""
    # Rounded first, so that 59.96 s is 1 min and not 60 s.
    rounded = float(f"{seconds:.3g}")
    for unit, least, size in _UNITS:
        if rounded >= least:
            digits = 3 if size <= 1 or seconds / size >= 100 else 2
            return f"{float(f'{seconds / size:.{digits}g}'):,g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
