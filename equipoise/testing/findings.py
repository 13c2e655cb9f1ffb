"""The rules of the conformance kit, and the findings where a strategy breaks them."""

from __future__ import annotations

from dataclasses import dataclass

from equipoise.testing.backbones.rules import BACKBONE_CHECKS
from equipoise.testing.datasets.rules import DATASET_CHECKS

#: The rules: name of the check → what the strategy must do. `equipoise check` prints both.
CHECKS = {
    "declared": "a strategy must be a @dataclass(frozen=True) with a `name`, and defaults must lie inside their ranges",
    "attributes": "a class attribute whose name is not known has no effect",
    "hooks": "a strategy must override at least one hook, each with the arguments of the contract",
    "documented": "the docstring's first line must say what the strategy does, and `reference` name author, year and DOI",
    "pickles": "fields must hold plain values, so that the strategy can be sent to a worker process",
    "raises": "a hook must return for every training set, also for one in which it has nothing to do",
    "global_state": "a hook must not change anything outside itself (files, settings, global generators); draw from ctx.rng",
    "in_place": "arguments are shared and must not be changed; work on copies",
    "deterministic": "the same arguments and random stream must give the same result in any process at any time",
    "shapes": "the result must have the type, shape and dtype that the hook's docstring names",
    "labels": "labels must be 0 or 1, in uint8",
    "columns": "labels must stay in their columns; permuting the labels must permute the result",
    "rows": "index must point at training rows (those in rows.index), and labels of synthetic rows must come last",
    "span": "synthetic features must lie between training rows; interpolate, do not extrapolate",
    "leak": "only training rows may influence the result, and a fitted map must treat each row by itself",
    "weights": "weights must be finite, not negative, and not all zero",
    "finite": "loss and gradient must be finite at |z| = 80, in half precision, and for absent or all-positive labels",
    "scale": "the loss must be unreduced; its mean must not grow with the batch size",
    "representation": "a loss that sees the representation must send a gradient into it, and accept None in its place",
    "vmap": "the loss must be plain tensor code: no Python branch, float() or .item() on a tunable field or on ctx",
    "lanes": "with vectorized = True, loss() must also take (K, B, L): reduce over negative dimensions with keepdim=True",
    "lane": "a lane must have the same bits alone and among others; compute functions of (L,) statistics on blocks of rows",
    "tasks": "every label must be predicted by a task, and columns, rows, classes and label inputs must exist",
    "merge": "column j of the merged logits must be label j's log-odds, computed from that row alone",
    "vote": "the own decision must be right where all tasks are, computed from that row alone; without `tasks` use `decide`",
    "off": "with the settings `off`, training and decisions must equal those of no strategy bit for bit",
    "same_as": "what `same_as` declares must hold wherever it declares it; fix settings on which it depends (`fixed_at`)",
    "space": "every value in the search space must be valid",
    "trains": "a short training with thresholds and predictions must succeed",
}

#: The rules of each kind of plugin.
RULES = {"strategy": CHECKS, "backbone": BACKBONE_CHECKS, "dataset": DATASET_CHECKS}


@dataclass(frozen=True)
class Finding:
    """One broken rule.

    Attributes:
        check: the rule, a key of `CHECKS`, `BACKBONE_CHECKS` or `DATASET_CHECKS`.
        hook: the hook that breaks it, e.g. "resample"; "strategy" for the class itself.
        world: the first training set in which it showed, e.g. "absent label"; "" if that does not matter.
        problem: what was observed.
        kind: what is examined: "strategy", "backbone" or "dataset".
        advice: what to do instead, where that is known better than from the rule; "" for the rule, None for no advice.
    """

    check: str
    hook: str
    world: str
    problem: str
    kind: str = "strategy"
    advice: str | None = ""

    @property
    def remedy(self) -> str:
        """What the plugin must do instead; "" where the problem says all."""
        return RULES[self.kind][self.check] if self.advice == "" else self.advice or ""

    def __str__(self) -> str:
        where = f"{self.hook}, {self.world}" if self.world else self.hook
        return f"{self.check} ({where}): {self.problem}" + (f" - {self.remedy}" if self.remedy else "")


class Findings:
    """Collects findings: the first for each check and hook, since one fault usually shows in many worlds."""

    def __init__(self, kind: str = "strategy") -> None:
        self.kind = kind
        self._first: dict[tuple[str, str], Finding] = {}

    def note(self, check: str, hook: str, world: str, problem: str, advice: str | None = "") -> None:
        """Add a finding, unless the same check has failed at this hook before; `advice` as in `Finding`."""
        if check not in RULES[self.kind]:
            raise KeyError(check)
        line = " ".join(str(problem).split())  # messages of exceptions may span several lines
        self._first.setdefault((check, hook), Finding(check, hook, world, line[:400], self.kind, advice))

    def demand(
        self, ok: object, check: str, hook: str, world: str, problem: str, advice: str | None = ""
    ) -> bool:
        """Add a finding unless `ok`; returns whether it was ok. `advice` as in `Finding`."""
        if not ok:
            self.note(check, hook, world, problem, advice)
        return bool(ok)

    def failed(self, check: str, hook: str) -> bool:
        """Whether a check has failed at a hook."""
        return (check, hook) in self._first

    def all(self) -> list[Finding]:
        """All findings, in the order of the rules."""
        order = list(RULES[self.kind])
        return sorted(self._first.values(), key=lambda f: order.index(f.check))
