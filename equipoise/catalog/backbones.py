"""Backbones by name: `mlp[hidden=64]`."""

from __future__ import annotations

from equipoise.catalog.registry import registry
from equipoise.catalog.specs import parse
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.options import checked


def get_backbone(spec: str) -> Backbone:
    """The backbone of a spec, a name that may be followed by settings in brackets. The search leaves these settings as they are.

    Raises:
        EquipoiseError: an unknown name or setting, or a value of the wrong type.
    """
    name, settings = parse(spec)
    cls: type[Backbone] = registry("backbone").get(name)
    values = checked("backbone", name, cls, settings)
    return cls(**values, pinned=frozenset(values))
