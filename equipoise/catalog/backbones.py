"""Backbones by name or from plugins: `mlp[hidden=64]`, `./models.py:Wide[hidden=64]`."""

from __future__ import annotations

from equipoise.catalog.lookup import name_of, offered
from equipoise.catalog.parts import Place, only_part
from equipoise.catalog.registry import registry
from equipoise.catalog.specs import parse
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.options import checked
from equipoise.core.errors import EquipoiseError


def get_backbone(spec: str | Backbone | type[Backbone]) -> Backbone:
    """The backbone of a spec: a name or a plugin file, with settings in brackets. The search leaves these settings as they are.

    Args:
        spec: the spec; or a class, which gets its defaults; or a backbone, which is returned as it is.

    Raises:
        EquipoiseError: an unknown name or setting, or a value of the wrong type.
    """
    if isinstance(spec, Backbone):
        return spec
    if isinstance(spec, type):
        made: Backbone = offered("backbone", spec)()
        return made
    if not isinstance(spec, str):
        raise EquipoiseError(f"a backbone is a name, a class or an instance, not {type(spec).__name__}")
    part = only_part(spec)
    # A text that is no file is read as a whole, so that an error shows it as it was written.
    read = parse(f"{part.name or 'name'}{part.settings}" if part.file else spec)
    name = name_of("backbone", part) if part.file or part.place("backbone") else read[0]
    cls: type[Backbone] = registry("backbone").get(name)
    values = checked("backbone", name, cls, read[1])
    return cls(**values, pinned=frozenset(values))


def backbone_places(spec: str) -> list[Place]:
    """Where the plugin lies that a spec names by its place, as a list of one or none."""
    place = only_part(spec).place("backbone")
    return [] if place is None else [place]
