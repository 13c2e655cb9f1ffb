"""Recomputes cells of a published folder and compares them with its rows: to the bit or within a tolerance."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment import versions
from equipoise.experiment.cell import Cell
from equipoise.publishing.cells import Files, changes, planned
from equipoise.publishing.rows import stripped
from equipoise.report.significance import EQUAL as EQUAL_SCORES
from equipoise.splits.outer import split_name
from equipoise.store.rows import VOLATILE, Row, clean
from equipoise.sweep.executors import Executor, Processes, ThisProcess
from equipoise.sweep.plan import Plan
from equipoise.sweep.watching import Watcher

#: The most that a metric of COMPARED may differ where bits need not be equal: on another CPU capability, or after the code or a
#: library has changed: what a report counts as practically equal. docs/published.md has the differences that were measured.
TOLERANCE = EQUAL_SCORES
#: The metrics that the tables of a report show. Others, such as the recall of combinations with three test rows, may change by
#: a lot when one row is decided otherwise.
COMPARED = (
    "scores/map",
    "fixed/macro_f1",
    "tuned/macro_f1",
    "own/macro_f1",
    "fixed/micro_f1",
    "tuned/micro_f1",
)
#: Fields that a row must have to be called equal, and that must be equal to the bit.
EXACT = ("metrics", "spread", "per_label", "objective", "params", "split_sha256", "labels")
#: Fields of an equal row that may differ: what changes with each run or with the machine, and the versions, of which those that
#: decide numbers are part of the key. All other fields that a row has must be equal.
MAY_DIFFER = VOLATILE | {"versions", "plugins", "threads"}
EQUAL, WITHIN, DIFFERENT, MISSING = "equal", "within", "different", "not recomputed"


@dataclass(frozen=True)
class Verdict:
    """What became of one cell.

    Attributes:
        outcome: EQUAL, WITHIN (TOLERANCE), DIFFERENT or MISSING.
        metric, largest: the metric that differs most, and by how much; "" and 0 without a difference.
        changed: what is other here than where the row was made; empty if bits must be equal.
        why: the reason, where the cell was not recomputed or cannot be compared.
    """

    cell: str
    key: str
    outcome: str
    metric: str = ""
    largest: float = 0.0
    changed: list[str] = field(default_factory=list)
    why: str = ""

    @property
    def fine(self) -> bool:
        """Whether the published row is confirmed."""
        return self.outcome in (EQUAL, WITHIN)


def verify(
    rows: Sequence[Row],
    files: Files,
    data_dir: Path | None = None,
    on_start: Callable[[str], None] = lambda cell: None,
) -> Iterator[Verdict]:
    """Recompute these rows one after another, and yield a verdict for each.

    Args:
        files: strategies of a submission, by name. data_dir: the download cache.
        on_start: called with each cell in words before it runs.
    """
    # Data sets are loaded once for all cells.
    data: dict[str, Dataset] = {}
    for row in rows:
        name = _in_words(row)
        on_start(name)
        try:
            cell, plan = planned(row, files, data, data_dir)
            if cell.dataset_sha256 != row.get("dataset_sha256"):
                raise EquipoiseError(f"the data set {row['dataset']} here has another content")
            fresh = recomputed(cell, plan)
        except (EquipoiseError, OSError) as error:
            yield Verdict(name, row["key"], MISSING, why=" ".join(str(error).split()))
            continue
        yield compared(name, row, fresh, changes(row, cell))


def recomputed(cell: Cell, plan: Plan) -> Row:
    """The row of a cell that runs now. Code of plugins runs in a process of its own.

    Raises:
        EquipoiseError: the cell failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = not cell.plugins
        runner: Executor = ThisProcess() if here else Processes(1, Path(folder), guarded=False, logged=False)
        with closing(runner.run([cell], plan.data, Watcher())) as results:
            row = next(result[0] for _, result in results)
    if row["status"] != "ok":
        raise EquipoiseError(f"it failed: {row.get('error')}")
    return row


def compared(name: str, row: Row, fresh: Mapping[str, Any], changed: Sequence[str]) -> Verdict:
    """The verdict on a row, given the row of the same cell that was computed here."""
    # As rows are published: a fresh one may name folders of this machine.
    before, now = clean(row), clean(stripped(fresh))
    reasons = list(changed)
    if before.get("cpu") != now.get("cpu"):
        reasons.append(f"CPU capability {before.get('cpu')} → {now.get('cpu')}")
    if before.get("metrics_code") != versions.metrics_code():
        reasons.append("code of the metrics")
    # To the bit all metrics count; within a tolerance only those that a report shows.
    metric, largest = _largest(before.get("metrics") or {}, now["metrics"], COMPARED if reasons else None)
    why = ""
    if reasons:
        outcome = WITHIN if largest <= TOLERANCE else DIFFERENT
        if before.get("split_sha256") != now.get("split_sha256"):
            outcome, why = DIFFERENT, "the rows of the split are others"
    else:
        fields = dict.fromkeys([*EXACT, *(one for one in before if one not in MAY_DIFFER)])
        unlike = [one for one in fields if before.get(one) != now.get(one)]
        outcome = DIFFERENT if unlike else EQUAL
        # A difference that is not in the metrics themselves.
        why = "" if metric or not unlike else f"other {', '.join(unlike)}"
    return Verdict(name, row["key"], outcome, metric, largest, reasons, why)


def _largest(
    before: Mapping[str, Any], now: Mapping[str, Any], names: Sequence[str] | None
) -> tuple[str, float]:
    """The metric that differs most, and by how much: infinite if it is defined on one side only; ("", 0) if all are equal."""
    found = {name: _distance(before.get(name), now.get(name)) for name in (names or sorted({*before, *now}))}
    metric = max(found, key=lambda name: found[name], default="")
    return (metric, found[metric]) if metric and found[metric] > 0 else ("", 0.0)


def _distance(a: Any, b: Any) -> float:
    if a == b:
        return 0.0
    return math.inf if a is None or b is None else abs(float(a) - float(b))


def _in_words(row: Mapping[str, Any]) -> str:
    return f"{row['dataset']} · {row['backbone']} · {row['strategy']} · {split_name(row['split'])}"
