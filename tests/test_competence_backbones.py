"""The benchmark of competence takes backbones that it does not name, on the cheapest data."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from equipoise.catalog.backbones import get_backbone
from equipoise.catalog.registry import registry
from equipoise.contracts.backbone import Backbone, Rate

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
try:
    import competence
finally:
    sys.path.pop()


@dataclass(frozen=True)
class Cheap(Backbone):
    """A backbone that the benchmark does not name."""

    name: ClassVar[str] = "cheap"
    accepts: ClassVar[frozenset[str]] = frozenset({"numeric"})
    rate: ClassVar[Rate | None] = Rate(row=10.0)


@dataclass(frozen=True)
class Unknown(Cheap):
    """Without a rate."""

    name: ClassVar[str] = "unknown"
    rate: ClassVar[Rate | None] = None


@dataclass(frozen=True)
class Slow(Cheap):
    """With a high one."""

    name: ClassVar[str] = "slow"
    rate: ClassVar[Rate | None] = Rate(row=1e6)


def test_a_new_backbone_needs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    new: dict[str, Backbone] = {cls.name: cls() for cls in (Cheap, Unknown, Slow)}
    for backbone in new.values():
        monkeypatch.setattr(type(backbone), "__module__", "equipoise.backbones.new")
    names = SimpleNamespace(names=lambda: ["linear", *new])
    monkeypatch.setattr(competence, "registry", lambda kind: names)
    monkeypatch.setattr(competence, "get_backbone", lambda name: new.get(name) or get_backbone(name))
    assert list(competence.others()) == [competence.Ours("cheap", ("numeric",), competence.CHEAPEST)]


def test_all_backbones_are_named_or_too_slow_or_run() -> None:
    families = {ours.spec.partition("[")[0] for ours in competence.OURS}
    names = registry("backbone").names()
    own = {name for name in names if type(get_backbone(name)).__module__.startswith("equipoise.")}
    assert own - families == {"transformer"}
    assert set(competence.CHEAPEST) <= {data.name for data in competence.DATA}
