"""The examination of one data set: loads it under watch, and sorts what a load does besides into findings."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.contracts import dataset as contract
from equipoise.contracts.dataset import Dataset, DatasetSource
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.testing.exam import Stopped, Watched
from equipoise.testing.findings import Findings
from equipoise.testing.guard import unchanged

#: Seconds that a load may take when nothing has to be downloaded.
SLOW = 60.0


@dataclass(eq=False)
class DatasetExam(Watched):
    """A source, the findings about it, and the folder that it may download into.

    Attributes:
        results: (what, "") → arrays, for comparison with another process.
    """

    source: DatasetSource
    data_dir: Path
    findings: Findings = field(default_factory=lambda: Findings("dataset"))
    results: dict[tuple[str, str], Any] = field(default_factory=dict)

    def demand(self, ok: object, check: str, problem: str, hook: str = "load") -> bool:
        """Add a finding unless `ok`; returns whether it was ok."""
        return self.findings.demand(ok, check, hook, "", problem)

    def load(self, first: bool = False, source: DatasetSource | None = None) -> Dataset:
        """Load the data set; the first load may use the network, and its imports have side effects.

        Raises:
            Stopped: it cannot be loaded, which is noted.
        """
        folder, effects = self.data_dir, list[str]()
        began = time.perf_counter()
        try:
            with unchanged(effects.append):
                data = (source or self.source).load(folder)
        except Exception as error:
            self.demand(False, "form" if _refused(error) else "raises", _worded(error))
            raise Stopped from error
        seconds = time.perf_counter() - began
        for effect in effects:
            self._judge(effect, first)
        if not self.demand(
            isinstance(data, Dataset), "form", f"it returns {type(data).__name__}, not an equipoise.Dataset"
        ):
            raise Stopped
        if not first:
            self.demand(seconds < SLOW, "slow", f"a load takes {seconds:.0f} seconds")
        return data

    def _judge(self, effect: str, first: bool) -> None:
        """Note what a load changed, unless it may."""
        if effect.startswith("socket.connect"):
            if not first:
                self.demand(False, "network", f"the second load connects to the network: {effect}")
        elif effect.startswith(
            ("the file", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link")
        ):
            # Paths are quoted as they were written, so both spellings of the folder count.
            folders = {str(self.data_dir), os.path.realpath(self.data_dir)}
            self.demand(
                any(folder in effect for folder in folders), "files", f"{effect}, outside of data_dir"
            )
        # Imports of a first load may change filters, variables and generators.
        elif not first:
            self.demand(False, "global_state", effect)


def _refused(error: BaseException) -> bool:
    """Whether `Dataset` refused what it was given."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, EquipoiseError) and any(f.filename == contract.__file__ for f in frames)


def _worded(error: Exception) -> str:
    return str(error) if isinstance(error, EquipoiseError) else one_line(error)
