"""The record of `equipoise info` for data that it reads or generates: a file, or a dataset with options."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from equipoise.api import bayes_scores
from equipoise.bayes import DRAWS
from equipoise.catalog.datasets import load_dataset, named_dataset
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError

_NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "urllib.Request"})
#: The threads that must not use the network now.
_REFUSING: set[int] = set()
_installed = False


def describe_data(name: str) -> dict[str, Any]:
    """Size, labels and the loader's notes; with the best possible scores where the distribution of the data is known."""
    return described(name, load_dataset(name)) | _best_scores(name)


def described(name: str, data: Dataset) -> dict[str, Any]:
    """Size and labels of data, where they are from, and the loader's notes."""
    positives = data.Y.sum(0, dtype=int).tolist()
    return {
        "kind": "dataset",
        "name": named_dataset(name) if "[" in name else data.name,
        "rows": data.n_rows,
        "inputs": "text" if data.kind == "text" else f"{data.X.shape[1]} numbers",
        "labels": dict(zip(data.labels, positives, strict=True)),
        "source": data.source,
        "terms": data.terms,
        "citation": data.citation,
        "generated": data.generated,
        "notes": list(data.notes),
    }


def without_network(name: str) -> dict[str, Any]:
    """What is described of data that are generated or there already; nothing of data that would have to be downloaded."""
    try:
        with _refused_network():
            return described(name, load_dataset(name))
    # Whatever else is wrong with the data shows where they are used; here, the rest of the record is still of use.
    except EquipoiseError:
        return {}


@contextlib.contextmanager
def _refused_network() -> Iterator[None]:
    """Raise EquipoiseError where this thread looks for a host or connects to one."""
    global _installed
    # Python cannot remove an audit hook, so there is one for the life of the process, which is idle outside of this block.
    if not _installed:
        sys.addaudithook(_on_event)
        _installed = True
    _REFUSING.add(threading.get_ident())
    try:
        yield
    finally:
        _REFUSING.discard(threading.get_ident())


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK and threading.get_ident() in _REFUSING:
        raise EquipoiseError("nothing is downloaded for this")


def _best_scores(name: str) -> dict[str, Any]:
    """The Bayes-optimal scores of a generated dataset whose distribution is known; nothing for other data."""
    try:
        scores = bayes_scores(name)
    # The distribution of most data sets is unknown, which is no mistake of the user.
    except EquipoiseError:
        return {}
    return {
        "best possible": {
            metric: {
                "population": round(score.best, 4),
                "error": round(score.error, 4),
                "these rows": round(score.here, 4),
                "decide": score.rule,
            }
            for metric, score in scores.items()
        },
        "population": f"expected over new mails of the same distribution ({DRAWS:,} drawn, their labels integrated out exactly), "
        "with its standard error",
    }
