"""What is to be checked: classes, instances, names and plugin files, as strategies, backbones and data set sources."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, TypeAlias

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.datasets import source_of
from equipoise.catalog.entries import Entry
from equipoise.catalog.lookup import find_plugin
from equipoise.catalog.parts import parts
from equipoise.catalog.registry import PACKAGES, registry
from equipoise.catalog.strategies import get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.dataset import DatasetSource
from equipoise.contracts.strategy import Strategy
from equipoise.core.errors import EquipoiseError, shown, unknown

Subject: TypeAlias = Strategy | Backbone | DatasetSource
#: The base class of each kind.
_BASES: dict[str, type] = {"strategy": Strategy, "backbone": Backbone, "dataset": DatasetSource}
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
    made: Any = what
    if inspect.isclass(what):
        try:
            made = what()
        except TypeError as error:
            raise EquipoiseError(f"{what.__name__} cannot be made without arguments: {error}") from error
    kind_of(made)
    found: Subject = made
    return found


def subjects_of(what: str) -> list[Subject]:
    """What a word on the command line stands for: all plugins of a file, or one name with or without settings.

    Raises:
        EquipoiseError: there is no such file or name.
    """
    first, *others = parts(what)
    if others:
        return [get_strategy(what)]
    if first.file and not (first.name or first.settings):
        return list(_all_in(first.file))
    if first.place("") is not None:
        kind, name = find_plugin(first)
        return [_made(kind, f"{name}{first.settings}")]
    return _offered_by(first.name) or [_named(first.name, what)]


def _offered_by(name: str) -> list[Subject]:
    """Everything that an installed distribution, or a package or module of one, offers; [] for other names."""
    entries = [(kind, entry) for kind in PACKAGES for entry in registry(kind).entries() if entry.plugin]
    # A plugin that has the name itself is meant, since its distribution may be called like it.
    if any(entry.name == name for _, entry in entries):
        return []
    found = [(kind, e) for kind, e in entries if _from(e, name)]
    return [_made(kind, entry.name) for kind, entry in found]


def _from(entry: Entry, name: str) -> bool:
    distribution = (entry.plugin and entry.plugin.distribution) or ""
    module = entry.origin.removeprefix("plugin ").partition(":")[0]
    same = distribution.lower().replace("-", "_") == name.lower().replace("-", "_")
    return same or (entry.origin.startswith("plugin ") and f"{module}.".startswith(f"{name}."))


def _all_in(file: str) -> Iterator[Subject]:
    """Everything that a file defines."""
    kinds = [kind for kind in PACKAGES if registry(kind).load_file(file)]
    if not kinds:
        raise EquipoiseError(f"{file} defines no {_ANY}: it needs a subclass with a `name`")
    return (_made(kind, name) for kind in kinds for name in registry(kind).all_in(file))


def _made(kind: str, spec: str) -> Subject:
    if kind == "strategy":
        return get_strategy(spec)
    return get_backbone(spec) if kind == "backbone" else source_of(spec, {})


def _named(name: str, spec: str) -> Subject:
    # All entries, also broken ones, so that the error of a plugin that failed to load is shown.
    known = {kind: [entry.name for entry in registry(kind).entries()] for kind in PACKAGES}
    kind = next((kind for kind, names in known.items() if name in names), None)
    if kind is None:
        raise unknown(_ANY, name, [n for names in known.values() for n in names])
    return _made(kind, spec)
