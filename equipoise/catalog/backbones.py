"""Backbones by name: `mlp[hidden=64]`."""

from __future__ import annotations

from equipoise.catalog.registry import registry
from equipoise.catalog.specs import parse
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.hyperparameters import checked
from equipoise.core.code_hash import source_hash


def get_backbone(spec: str) -> Backbone:
    """The backbone written as `spec`: a name, with settings in brackets.

    Raises:
        EquipoiseError: an unknown name or setting, or a value of the wrong type.
    """
    name, settings = parse(spec)
    cls: type[Backbone] = registry("backbone").get(name)
    values = checked("backbone", name, cls, settings)
    return cls(**values, pinned=frozenset(values))


def fingerprint(backbone: Backbone) -> str:
    """A hash over its code, and one over the content of the files that its settings name.

    Raises:
        EquipoiseError: there is no such file.
    """
    code, content = source_hash(type(backbone)), backbone.content
    return f"{code}+{content[:16]}" if content else code
