"""Strategies by name, composed with a plus sign: `ml_ros[p=0.25]+focal+scut`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.catalog.plugins import code_of
from equipoise.catalog.registry import registry
from equipoise.catalog.specs import parse, split_parts
from equipoise.contracts.hyperparameters import Tunable, bind, tunables
from equipoise.contracts.options import checked
from equipoise.contracts.strategy import CHAINED, DECIDING, STAGES, Strategy
from equipoise.core.errors import EquipoiseError


@dataclass(frozen=True)
class Composition(Strategy):
    """Several strategies, each of which acts at its own stages.

    Its own hooks are never called: callers ask for `strategy.owner(stage)` and `strategy.chain(stage)`.
    """

    members: tuple[Strategy, ...] = ()

    @property
    def parts(self) -> tuple[Strategy, ...]:
        return self.members

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(s for part in self.members for s in part.stages)

    @property
    def spec(self) -> str:
        return "+".join(p.spec for p in self.members)


def compose(*parts: Strategy) -> Strategy:
    """Compose strategies into one. `none` in a composition is left out.

    Raises:
        EquipoiseError: a strategy is given twice, two override the same hook with one owner, or one has a head and another
            tasks (the error names both).
    """
    flat = [q for p in parts for q in p.parts]
    if len(flat) > 1:
        # `none+none` is `none`.
        flat = [p for p in flat if p.name != "none"] or flat[:1]
    names = [p.name for p in flat]
    for name in names:
        if names.count(name) > 1:
            raise EquipoiseError(f"{name!r} is given twice in {'+'.join(names)!r}")
    owners: dict[str, str] = {}
    for part in flat:
        for stage in part.stages:
            if stage not in CHAINED and stage in owners:
                raise EquipoiseError(
                    f"{owners[stage]!r} and {part.name!r} both own the {stage} stage: keep one of them"
                )
            owners[stage] = part.name
    if "head" in owners and "tasks" in owners:
        raise EquipoiseError(
            f"{owners['head']!r} replaces the last layer of one network, but {owners['tasks']!r} trains several: keep one of them"
        )
    return flat[0] if len(flat) == 1 else Composition(members=tuple(flat))


def get_strategy(spec: str) -> Strategy:
    """The strategy of a spec: names joined by `+`, each optionally followed by settings in brackets; or `./file.py:name`.

    The search leaves the settings in brackets as they are.

    Raises:
        EquipoiseError: an unknown name or setting, a value of the wrong type, or parts that exclude each other.
    """
    if not isinstance(spec, str) or not spec.strip():
        raise EquipoiseError("an empty strategy: write a name, e.g. focal or ml_ros[p=0.25]+focal")
    file, rest = split_file(spec)
    if file is not None:
        names = registry("strategy").add_file(file)
        if not rest and len(names) > 1:
            raise EquipoiseError(f"{file} defines {', '.join(names)}: say which, e.g. {file}:{names[0]}")
        rest = rest or names[0]
    return compose(*(_one(part) for part in split_parts(rest)))


def split_file(spec: str) -> tuple[str | None, str]:
    """Split `./mine.py:focal+scut` into ("./mine.py", "focal+scut"); a spec without a file into (None, spec)."""
    # Not greedy: the file ends at the first ".py" that is followed by a colon or by the end.
    match = re.match(r"^\s*(.+?\.py)(?::(.*))?\s*$", spec)
    return (None, spec) if match is None else (match.group(1), match.group(2) or "")


def _one(text: str) -> Strategy:
    if not text.strip():
        raise EquipoiseError("an empty part beside a '+': write name+name")
    name, settings = parse(text)
    cls = registry("strategy").get(name)
    values = checked("strategy", name, cls, settings)
    # Values that the user wrote are pinned, so that the search leaves them alone.
    strategy: Strategy = cls(**values, pinned=frozenset(values))
    return strategy


def training_part(strategy: Strategy) -> Strategy:
    """The parts that act while a network is trained, or the base strategy; strategies that share them train equal networks."""
    parts = [p for p in strategy.parts if set(p.stages) - DECIDING]
    return compose(*parts) if parts else Strategy()


def deciding_parts(strategy: Strategy) -> list[Strategy]:
    """The parts that act on trained networks only: score maps and decisions."""
    return [p for p in strategy.parts if p.stages and not set(p.stages) - DECIDING]


def clash_warnings(strategy: Strategy) -> list[str]:
    """A line for each part of a composition that corrects again, or takes back, what parts before it have changed."""
    # The parts in the order in which they act: by stage, and within a stage as they are written.
    acting = sorted((p for p in strategy.parts if p.stages), key=lambda p: min(map(STAGES.index, p.stages)))
    lines = []
    for i, part in enumerate(acting):
        # One line for each sentence: its reason may hold for several changes.
        for sentence in dict.fromkeys(part.clashes.values()):
            unwelcome = {change for change, s in part.clashes.items() if s == sentence}
            if others := [p.name for p in acting[:i] if p.changes & unwelcome]:
                lines.append(f"{strategy.spec}: {part.name} {sentence.format(other=_listed(others))}")
    return lines


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def space(strategy: Strategy) -> dict[str, Tunable]:
    """The search space of a strategy, "focal.gamma" → range, without the settings that the user has given."""
    return {
        f"{part.name}.{name}": spec
        for part in strategy.parts
        for name, spec in tunables(part).items()
        if name not in part.fixed
    }


def with_params(strategy: Strategy, params: Mapping[str, Any]) -> Strategy:
    """A copy with these hyperparameters, "focal.gamma" → value. Keys of other objects, such as "lr", are ignored."""
    parts = [bind(p, _own(p.name, params)) for p in strategy.parts]
    return parts[0] if len(parts) == 1 else bind(strategy, {"members": tuple(parts)})


def external_file(strategy: Strategy) -> str:
    """The file of external rows that a strategy names; "" if it names none.

    Raises:
        EquipoiseError: several of its parts add rows of a file.
    """
    files = {p.name: str(getattr(p, "file", "")) for p in strategy.parts if "file" in p.requires}
    if len(files) > 1:
        raise EquipoiseError(f"{' and '.join(files)} both add rows of a file: keep one of them")
    return next(iter(files.values()), "")


def with_external_file(strategy: Strategy, file: str) -> Strategy:
    """A copy that names another file of external rows."""
    parts = [bind(p, {"file": file}) if "file" in p.requires else p for p in strategy.parts]
    return parts[0] if len(parts) == 1 else bind(strategy, {"members": tuple(parts)})


def fingerprint(strategy: Strategy) -> str:
    """A hash of the code of each part, joined by plus signs."""
    return "+".join(code_of(type(p)) for p in strategy.parts)


def plugin_file(spec: str) -> str | None:
    """The absolute path of the plugin file that a spec names; None if it names none."""
    file, _ = split_file(spec)
    return None if file is None else str(Path(file).resolve())


def _own(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {k.split(".", 1)[1]: v for k, v in params.items() if k.split(".", 1)[0] == name and "." in k}
