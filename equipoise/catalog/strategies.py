"""Strategies by name or from plugins, composed with a plus sign: `ml_ros[p=0.25]+./mine.py:Mine+scut`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from typing import Any

from equipoise.catalog.lookup import name_of, offered
from equipoise.catalog.parts import Part, Place, parts
from equipoise.catalog.plugins import code_of
from equipoise.catalog.registry import registry
from equipoise.catalog.specs import parse
from equipoise.contracts.hyperparameters import Tunable, bind, tunables
from equipoise.contracts.options import checked
from equipoise.contracts.strategy import CHAINED, DECIDING, STAGES, Strategy
from equipoise.core.errors import EquipoiseError


@dataclass(frozen=True)
class Composition(Strategy):
    """Several strategies, each of which acts at its own stages.

    Its own hooks are never called: callers ask for `strategy.owner(stage)` and `strategy.chain(stage)`. A named composition,
    which `named` makes, is a subclass with a name and default members.
    """

    members: tuple[Strategy, ...] = field(default=(), metadata={"internal": True})

    @property
    def parts(self) -> tuple[Strategy, ...]:
        return self.members

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(s for part in self.members for s in part.stages)

    @property
    def spec(self) -> str:
        return self.name or self.written_out

    @property
    def written_out(self) -> str:
        """The specs of its parts, joined by plus signs."""
        return "+".join(p.spec for p in self.members)

    @property
    def identity(self) -> str:
        return f"{self.name}={self.written_out}" if self.name else self.written_out


def named(name: str, strategy: Strategy) -> type[Composition]:
    """The class of a composition that a plugin offers under a name; its parts are the default of its only field.

    Raises:
        EquipoiseError: it is a single strategy.
    """
    if not isinstance(strategy, Composition):
        raise EquipoiseError(
            f"{strategy.spec!r} is one strategy with its settings: offer its class, or a composition of two or more"
        )
    # Of the whole, as if it were a strategy of its own.
    declared: dict[str, Any] = {
        "__doc__": f"The composition {strategy.written_out}.",
        "__module__": __name__,
        "name": name,
        "requires": frozenset().union(*(part.requires for part in strategy.parts)),
        "sees_representation": any(part.sees_representation for part in strategy.parts),
    }
    members = field(default=strategy.members, metadata={"internal": True})
    made: type[Composition] = make_dataclass(
        "Combination",
        [("members", tuple[Strategy, ...], members)],
        bases=(Composition,),
        namespace=declared,
        frozen=True,
    )
    return made


def compose(*parts: Strategy | type[Strategy] | str) -> Strategy:
    """Compose strategies into one. `none` in a composition is left out.

    >>> from equipoise import compose
    >>> compose("ml_ros[p=0.25]", "focal", "scut").stages
    ('resample', 'loss', 'decide')

    Args:
        parts: names with settings, classes, or strategies.

    Raises:
        EquipoiseError: a strategy is given twice, two override the same hook with one owner, or one has a head and another
            tasks (the error names both).
    """
    strategies = [get_strategy(part) for part in parts]
    if not strategies:
        raise EquipoiseError("nothing to compose: give strategies, e.g. compose('ml_ros', 'focal')")
    # As it is, so that a named composition keeps its name.
    if len(strategies) == 1:
        return strategies[0]
    flat = [q for p in strategies for q in p.parts]
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


def get_strategy(spec: str | Strategy | type[Strategy]) -> Strategy:
    """The strategy of a spec: names or plugin files joined by `+`, each optionally followed by settings in brackets.

    The search leaves the settings in brackets as they are.

    Args:
        spec: the spec; or a class, which gets its defaults; or a strategy, which is returned as it is.

    Raises:
        EquipoiseError: an unknown name or setting, a value of the wrong type, or parts that exclude each other.
    """
    if isinstance(spec, Strategy):
        return spec
    if isinstance(spec, type):
        return offered("strategy", spec)()
    if not isinstance(spec, str) or not spec.strip():
        raise EquipoiseError("an empty strategy: write a name, e.g. focal or ml_ros[p=0.25]+focal")
    found = [_one(part) for part in parts(spec)]
    return compose(*found)


def expand(spec: str) -> list[str]:
    """The specs that a spec stands for: the file's strategies if it is a plugin file and nothing more; else the spec itself.

    Raises:
        EquipoiseError: the file cannot be loaded, or one of its strategies cannot be used.
    """
    first, *others = parts(spec) if isinstance(spec, str) else ()
    if others or not first.file or first.name or first.settings:
        return [spec]
    known = registry("strategy")
    known.add_file(first.file)
    return [f"{first.file}:{name}" for name in known.all_in(first.file)]


def places(spec: str) -> list[Place]:
    """Where the plugins lie that a spec names by their places."""
    return [place for part in parts(spec) if (place := part.place("strategy")) is not None]


def _one(part: Part) -> Strategy:
    if not (part.file or part.name or part.settings):
        raise EquipoiseError("an empty part beside a '+': write name+name")
    # Checked first, so that a slip in the brackets runs no plugin.
    settings = parse(f"{part.name or ('name' if part.file else '')}{part.settings}")[1]
    name = name_of("strategy", part)
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


def _own(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {k.split(".", 1)[1]: v for k, v in params.items() if k.split(".", 1)[0] == name and "." in k}
