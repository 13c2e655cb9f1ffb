"""Finds out what cannot differ: combines what strategies declare in `Strategy.same_as`, also in compositions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from equipoise.catalog.strategies import compose, get_strategy
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.equality import COLUMNS, Equality
from equipoise.contracts.hyperparameters import tunables
from equipoise.contracts.options import options
from equipoise.contracts.strategy import Strategy
from equipoise.core.errors import EquipoiseError

#: The columns that every rising map of a label's scores leaves as they are.
RANKED = ("map", "tuned")
#: The reason that follows from `Strategy.off`.
OFF = "its settings switch it off"
#: Settings of one strategy of which pairs are tried, too; of more, there would be too many.
_PAIRS = 3


def equalities(strategy: Strategy, backbone: Backbone, n_labels: int) -> list[Equality]:
    """Everything that a strategy cannot differ from on a backbone and data with L labels, step by step from its declarations.

    `temperature+scut`, for example, is `scut` by the declaration of `temperature`, and its own decisions are the tuned ones of
    `none` by that of `scut`.
    """
    found: dict[str, Equality] = {}
    queue = [Equality(strategy.spec, {column: column for column in COLUMNS}, "")]
    while queue:
        here = queue.pop(0)
        for step in declared(get_strategy(here.strategy) if here.why else strategy, backbone, n_labels):
            columns = {
                ours: step.columns[theirs] for ours, theirs in here.columns.items() if theirs in step.columns
            }
            known = found[step.strategy].columns if step.strategy in found else {}
            # Nothing new also ends circles of declarations.
            if step.strategy == strategy.spec or not columns or columns.items() <= known.items():
                continue
            reached = Equality(step.strategy, {**columns, **known}, here.why or step.why)
            found[step.strategy] = reached
            queue.append(reached)
    return list(found.values())


def declared(strategy: Strategy, backbone: Backbone, n_labels: int) -> list[Equality]:
    """What a strategy declares, or the parts of a composition do, where it also holds in the composition."""
    parts, out = strategy.parts, []
    for i, part in enumerate(parts):
        for equality in [*_without_declaration(part), *part.same_as(backbone, n_labels)]:
            instead = get_strategy(equality.strategy)
            try:
                other = compose(*parts[:i], instead, *parts[i + 1 :])
            except EquipoiseError:
                # `logit_adjusted_loss+logit_adjustment`, for example, would become a strategy given twice.
                continue
            columns = _in_composition(parts, i, equality, other, backbone, n_labels)
            # A strategy that does not decide is used with the threshold ½.
            if not (_decides(strategy) or _decides(other)) and columns.get("fixed") == "fixed":
                columns = {**columns, "own": "own"}
            if columns:
                out.append(Equality(other.spec, columns, equality.why))
    return out


def _without_declaration(part: Strategy) -> Iterator[Equality]:
    """What follows from the contract alone."""
    if part.off is not None and part.fixed_at(**part.off):
        yield Equality("none", {column: column for column in COLUMNS}, OFF)
    elif part.stages == ("decide",):
        yield Equality(
            "none",
            {"map": "map", "fixed": "fixed", "tuned": "tuned"},
            "it only decides, on the scores of none",
        )


def _decides(strategy: Strategy) -> bool:
    """Whether its own decision is not the threshold ½: it has a rule for it, or its tasks vote."""
    return "decide" in strategy.stages or strategy.voter is not None


def _in_composition(
    parts: tuple[Strategy, ...],
    i: int,
    equality: Equality,
    other_strategy: Strategy,
    backbone: Backbone,
    n_labels: int,
) -> Mapping[str, str]:
    """The columns of a declaration of part i that hold for the whole composition, too."""
    part, others = parts[i], [*parts[:i], *parts[i + 1 :]]
    if not others:
        return equality.columns
    stages, others_stages = set(part.stages), {stage for other in others for stage in other.stages}
    # Random streams of resamplers are numbered, so one that does nothing still changes those after it.
    if "resample" in stages and any("resample" in p.stages for p in parts[i + 1 :]):
        return {}
    # Sampling weights and losses see the labels of a task only, so they see other labels if the tasks differ.
    if "tasks" in stages and others_stages & {"weights", "loss"}:
        return {}
    if equality.everything and "adjust" not in stages:
        return equality.columns
    # A chain decides inside the network, where a shift of the scores matters; a head is fitted to them.
    if others_stages & {"tasks", "head"} and stages & {"weights", "loss"}:
        return {}
    if stages == {"decide"}:
        return equality.columns
    later = [p for p in (parts[i + 1 :] if "adjust" in stages else others) if "adjust" in p.stages]
    if not all(_rising(p, backbone, n_labels) for p in later):
        return {}
    # A later map, or another part's decision, is fitted to other scores. A loss balances the rows trained on, and a map all rows.
    other_rows = "loss" in stages and "weights" in others_stages
    # After resampling at random, a label is not equally frequent in all folds, however they were drawn; a loss that shifts
    # logits by that frequency puts those of the folds, to which thresholds are fitted together, on one scale.
    if "loss" in stages and "resample" in others_stages:
        return {ours: theirs for ours, theirs in equality.columns.items() if ours == "map"}
    own = "decide" in others_stages or other_strategy.voter is not None
    kept = RANKED if later or other_rows else tuple(c for c in COLUMNS if c != "own" or not own)
    return {ours: theirs for ours, theirs in equality.columns.items() if ours in kept}


def _rising(part: Strategy, backbone: Backbone, n_labels: int) -> bool:
    """Whether the score map of a part keeps the order of the rows of each label."""
    return part.stages == ("adjust",) and any(
        e.strategy == "none" and set(RANKED) <= e.columns.keys() for e in part.same_as(backbone, n_labels)
    )


def variants(strategy: Strategy) -> Iterator[Strategy]:
    """A strategy, and copies with settings fixed at ends of their ranges and at `off`: where declarations may depend on them.

    One setting at a time, `off` as a whole and in part, and, of few settings, pairs of ends.
    """
    ends: dict[str, list[Any]] = {
        name: list(spec.choices) if spec.choices is not None else [spec.low, spec.high]
        for name, spec in tunables(strategy).items()
    }
    off = dict(strategy.off or {})
    points = [{name: value} for name, values in ends.items() for value in values]
    for some in (*itertools.combinations(off, 1), *itertools.combinations(off, 2)):
        points += [{name: off[name] for name in some}, {name: off[name] for name in off if name not in some}]
    points.append(off)
    if len(ends) <= _PAIRS:
        corners = itertools.combinations(ends, 2)
        points += [{a: x, b: y} for a, b in corners for x in ends[a] for y in ends[b]]
    fields = {f.name: f for f in options(strategy)}
    seen = set()
    for point in [{}, *points]:
        values = {
            name: float(value) if isinstance(fields[name].default, float) else value
            for name, value in point.items()
            if name in fields
        }
        given = {name: getattr(strategy, name) for name in fields} | values
        variant: Strategy = type(strategy)(**given, pinned=strategy.pinned | set(values))
        if variant.spec not in seen:
            seen.add(variant.spec)
            yield variant
