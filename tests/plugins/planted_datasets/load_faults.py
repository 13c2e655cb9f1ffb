"""Faults in how a data set is loaded."""

from __future__ import annotations

import itertools
import os
import random
import socket
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from planted_datasets.right import Numbers, Texts, planted

plant = partial(planted, globals())
_calls = itertools.count()
_own = random.Random()


def before(act):
    """A load that does something else first."""

    def load(self, data_dir):
        act(self, data_dir)
        return Numbers.load(self, data_dir)

    return load


def changed(change, base=Numbers):
    """The arguments of `Dataset`, changed."""

    def parts(self, data_dir):
        given = base.parts(self, data_dir)
        return given | change(given)

    return parts


def _global_numbers(self, data_dir):
    given = Numbers.parts(self, data_dir)
    return given | {"X": np.random.normal(size=(self.rows, 4))}  # noqa: NPY002


def _connects(self, data_dir):
    with socket.socket() as end, socket.socket() as other:
        end.bind(("127.0.0.1", 0))
        end.listen(1)
        other.connect(end.getsockname())


def _writes_here(self, data_dir):
    # A file for each process that loads the data.
    with open(f"cache-{os.getpid()}.tmp", "w", encoding="utf-8") as file:
        file.write("x")


def _makes_a_folder(self, data_dir):
    os.makedirs("cache", exist_ok=True)
    os.rmdir("cache")


@lru_cache
def _cached(rows, seed):
    return Numbers("cached", "kept", rows, seed).parts(None)


@dataclass(frozen=True)
class NoSummary(Numbers):
    """Data without a summary."""

    fault: ClassVar[str] = "declared"


class Undecorated(Numbers):
    """Data whose options are not fields, for want of the decorator."""

    fault: ClassVar[str] = "declared"
    share: float = 0.5


@dataclass(frozen=True)
class Needy(Numbers):
    """Data whose load takes another argument."""

    fault: ClassVar[str] = "raises"

    def load(self, data_dir, more):
        return super().load(data_dir)


@dataclass(frozen=True)
class OddName(Numbers):
    """Data whose name has a blank."""

    fault: ClassVar[str] = "declared"


class NotASource:
    """Data that are no `DatasetSource`."""

    name = "not-a-source"
    fault = "declared"

    def load(self, data_dir):
        return Numbers("numbers").load(data_dir)


FAULTS = [
    NoSummary("no-summary"),
    Undecorated("undecorated", "x"),
    Needy("needy", "x"),
    NotASource(),
    OddName("a b", "x"),
    plant(Numbers, "holds_a_function", "pickles", __annotations__={"f": "object"}, f=lambda x: x),
    plant(Numbers, "raises", "raises", load=before(lambda self, d: 1 / 0)),
    plant(Numbers, "missing_file", "raises", load=before(lambda self, d: Path("nowhere.csv").read_text())),
    plant(Numbers, "a_dict", "form", load=lambda self, d: self.parts(d)),
    plant(Numbers, "a_pair", "form", load=lambda self, d: (np.ones((9, 2)), np.ones((9, 2)))),
    plant(Numbers, "global_numbers", "global_state", parts=_global_numbers),
    plant(Numbers, "seeds_numpy", "global_state", load=before(lambda self, d: np.random.seed(0))),  # noqa: NPY002
    plant(Numbers, "seeds_torch", "global_state", load=before(lambda self, d: torch.manual_seed(0))),
    plant(Numbers, "shuffles", "global_state", load=before(lambda self, d: random.shuffle([1, 2, 3]))),
    plant(
        Numbers, "sets_a_variable", "global_state", load=before(lambda self, d: os.environ.update(KIT="1"))
    ),
    plant(Numbers, "moves", "global_state", load=before(lambda self, d: os.chdir(os.sep))),
    plant(
        Numbers,
        "hides_warnings",
        "global_state",
        load=before(lambda self, d: warnings.simplefilter("ignore")),
    ),
    plant(Numbers, "starts_a_program", "global_state", load=before(lambda self, d: os.system("true"))),
    plant(Numbers, "writes_here", "files", load=before(_writes_here)),
    plant(Numbers, "makes_a_folder", "files", load=before(_makes_a_folder)),
    plant(Numbers, "always_online", "network", load=before(_connects)),
    plant(Numbers, "counts_calls", "deterministic", parts=changed(lambda p: {"X": p["X"] + next(_calls)})),
    plant(Numbers, "own_chance", "deterministic", parts=changed(lambda p: {"X": p["X"] * _own.random()})),
    plant(
        Numbers,
        "clock",
        "deterministic",
        parts=changed(lambda p: {"X": p["X"] + int(time.time() / 3600) % 99}),
    ),
    plant(
        Numbers,
        "set_order",
        "deterministic",
        parts=changed(lambda p: {"labels": tuple({f"label {i}" for i in range(60)})[:3]}),
    ),
    plant(Numbers, "hashes", "deterministic", parts=changed(lambda p: {"X": p["X"] + hash("x") % 100_003})),
    plant(
        Texts, "note_of_time", "deterministic", parts=changed(lambda p: {"notes": (str(time.time()),)}, Texts)
    ),
    plant(
        Numbers,
        "kept_arrays",
        "shared",
        parts=lambda self, d: _cached(self.rows, self.seed) | {"name": self.name},
    ),
    plant(
        Numbers,
        "rows_ignored",
        "options",
        parts=lambda self, d: Numbers(self.name, "", 80, self.seed).parts(d),
    ),
    plant(
        Numbers, "seed_ignored", "options", parts=lambda self, d: Numbers(self.name, "", self.rows).parts(d)
    ),
    plant(Numbers, "sleeps", "slow", load=before(lambda self, d: time.sleep(0.3))),
]
