"""What is to be checked: classes, instances, names and plugin files, as strategies, backbones and data set sources."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import source_of
from equipoise.catalog.registry import PACKAGES, registry
from equipoise.catalog.specs import parse, split_parts
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import DatasetSource
from equipoise.contracts.strategy import Strategy
from equipoise.core.errors import EquipoiseError, shown, unknown

Subject: TypeAlias = Strategy | Backbone | DatasetSource
#: The base class of each kind.
_BASES: dict[str, type] = {"strategy": Strategy, "backbone": Backbone, "dataset": DatasetSource}
#: A plugin file, up to the first ".py" that ends a word, and what may follow it.
_FILE = re.compile(r"\s*(.+?\.py)(?::(.*))?\s*")
#: How an error calls the kinds together.
_ANY = "strategy, backbone or dataset"


def kind_of(subject: Any) -> str:
    """ "strategy", "backbone" or "dataset".

    Raises:
        EquipoiseError: it is none of them.
    """
    for kind, base in _BASES.items():
        if isinstance(subject, base):
            return kind
    raise EquipoiseError(
        f"{shown(subject)} is no {_ANY}: it must be a subclass of one, an instance, or a name"
    )


def subject_of(what: Any) -> Subject:
    """The instance of a class with the defaults of its fields, or of a name with or without settings; an instance itself.

    Raises:
        EquipoiseError: there is none.
    """
    if isinstance(what, str):
        (subject,) = subjects_of(what)[:1]
        return subject
    if not inspect.isclass(what):
        kind_of(what)
        subject = what
    else:
        try:
            subject = what()
        except TypeError as error:
            raise EquipoiseError(f"{what.__name__} cannot be made without arguments: {error}") from error
        kind_of(subject)
    return subject


def subjects_of(what: str) -> list[Subject]:
    """What a word on the command line stands for: all plugins of a file, or one name with or without settings.

    Raises:
        EquipoiseError: there is no such file or name.
    """
    match = _FILE.fullmatch(what)
    if match is None:
        return [_named(what)]
    file, rest = match[1], match[2] or ""
    found = dict(_defined(file))
    if not rest:
        return [_made(kind, name, file) for kind, names in found.items() for name in names]
    name = parse(split_parts(rest)[0])[0]
    # A composition may begin with a name that is not in the file; then it is of strategies.
    kind = next((kind for kind, names in found.items() if name in names), "strategy")
    return [_made(kind, rest, file)]


def _defined(file: str) -> Iterator[tuple[str, list[str]]]:
    """For each kind of which a file defines something, the names."""
    problems = []
    for kind in PACKAGES:
        try:
            yield kind, list(registry(kind).add_file(file))
        except EquipoiseError as problem:
            problems.append(str(problem))
            # Whatever else is wrong with the file is the same for all kinds.
            if "defines no" not in str(problem):
                raise
    if len(problems) == len(PACKAGES):
        raise EquipoiseError(f"{file} defines no {_ANY}: it needs a subclass with a `name`, or `sources`")


def _made(kind: str, spec: str, file: str | None = None) -> Subject:
    if kind == "strategy":
        return get_strategy(spec if file is None else f"{file}:{spec}")
    return get_backbone(spec) if kind == "backbone" else source_of(spec, {})


def _named(spec: str) -> Subject:
    name = parse(split_parts(spec)[0])[0] if spec.strip() else ""
    # All entries, also broken ones, so that the error of a plugin that failed to load is shown.
    known = {kind: [entry.name for entry in registry(kind).entries()] for kind in PACKAGES}
    kind = next((kind for kind, names in known.items() if name in names), None)
    if kind is None:
        raise unknown(_ANY, name, [n for names in known.values() for n in names])
    return _made(kind, spec)
