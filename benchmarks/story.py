"""The results of a contest as a table and as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contest import Contestant


@dataclass
class Story:
    """The results of a contest.

    Attributes:
        rows: rows that one training sees. flops: floating-point operations of one training, None if they are not declared.
        peak: floating-point operations that the device does in a second.
    """

    title: str
    note: str
    contestants: Sequence[Contestant]
    rows: int
    flops: float | None
    peak: float

    HEAD = (
        "trained by",
        "trainings",
        "rows/s",
        "trainings/s",
        "× loop",
        "× loop, CPU",
        "noise",
        "of peak",
        "MiB added",
    )

    def lines(self) -> list[tuple[str, ...]]:
        """One line for each contestant that ran, with ratios to the first."""
        return [self._line(c, self.contestants[0]) for c in self.contestants if c.wall]

    def text(self) -> str:
        """The table with notes below it."""
        missing = [f"Not run: {c.name} ({c.why})." for c in self.contestants if not c.wall]
        return "\n\n".join([markdown(self.HEAD, self.lines()), " ".join([self.note, *missing])])

    def _line(self, c: Contestant, base: Contestant) -> tuple[str, ...]:
        wall, cpu = c.seconds("wall"), c.seconds("cpu")
        noise = c.noise(base, "cpu")
        return (
            c.name,
            str(c.trainings),
            f"{self.rows / wall:,.0f}",
            f"{1 / wall:,.3g}" if wall > 0.01 else f"{1 / wall:,.0f}",
            f"{c.times(base, 'wall'):.2f}",
            f"{c.times(base, 'cpu'):.2f}",
            "" if noise is None or c is base else f"± {noise:.0%}",
            "" if self.flops is None else f"{self.flops / cpu / self.peak:.1%}",
            "" if c.added is None else f"{c.added / 2**20:,.0f}",
        )

    def record(self) -> dict[str, Any]:
        """The results for the benchmark's JSON file."""
        base = self.contestants[0]
        return {
            "note": self.note,
            "peak_flops_per_s": self.peak,
            "flops_a_training": self.flops,
            "rows_a_training": self.rows,
            "contestants": {
                c.name: {
                    "trainings": c.trainings,
                    "wall_seconds": c.wall,
                    "cpu_seconds": c.cpu,
                    "bytes_added": c.added,
                    "times_loop_wall": c.times(base, "wall"),
                    "times_loop_cpu": c.times(base, "cpu"),
                    "noise_cpu": c.noise(base, "cpu"),
                }
                if c.wall
                else {"skipped": c.why}
                for c in self.contestants
            },
        }


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, so that it reads well in a terminal, too."""
    rows = [head, *lines]
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]

    def shown(row: Sequence[str]) -> str:
        cells = [
            t.ljust(w) if i == 0 else t.rjust(w) for i, (t, w) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([shown(head), rule, *map(shown, lines)])
