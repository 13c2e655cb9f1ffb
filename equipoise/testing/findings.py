"""What a check finds, and what each check asks for."""

from __future__ import annotations

from dataclasses import dataclass

#: check → what would be right. The keys are what `equipoise check` prints.
CHECKS = {
    "declared": "a strategy is a @dataclass(frozen=True) with a `name`; tunable(default, low=…, high=…) holds its default",
    "documented": "the docstring's first line says what it does, `reference` names author, year and DOI",
    "pickles": "fields hold plain values, so that a worker process can be sent the strategy",
    "raises": "every world is legal input; do nothing where there is nothing to do",
    "global_state": "nothing outside the hook may change; draw from ctx.rng, use no files, settings or generators of others",
    "in_place": "arguments are shared: work on copies",
    "deterministic": "the same arguments and stream give the same result, in any process at any time; draw from ctx.rng only",
    "shapes": "return what the hook's docstring names, in its shape and dtype",
    "labels": "labels are 0 or 1, uint8",
    "columns": "labels stay in their columns; permuting the labels permutes the result",
    "rows": "index points at training rows (those of rows.index), labels of synthesised rows come last",
    "span": "synthesised features lie between training rows: interpolate, do not extrapolate",
    "leak": "only training rows may matter; a fitted map treats each row by itself",
    "weights": "weights are finite, not negative, and not all zero",
    "finite": "loss and gradient are finite for |z| = 80, half precision, absent and all-positive labels (logsigmoid, clamp)",
    "scale": "return unreduced values; the mean loss must not grow with the batch",
    "vmap": "plain tensor code: no Python branch, float() or .item() on a tunable or on ctx",
    "lanes": "with vectorized = True, loss() takes (K, B, L) as well: reduce over the last dimensions by number, keepdim=True",
    "lane": "the same bits alone as among others: take functions of (L,) statistics on blocks of rows",
    "tasks": "every label is answered for, with columns, rows, classes and given labels that exist",
    "merge": "column j of the joined logits is label j's log-odds, from that row alone",
    "off": "at the settings `off` training and decisions equal no strategy bit for bit",
    "space": "every value of the search space is legal",
    "trains": "a short training, its thresholds and its predictions go through",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: which rule, a key of `CHECKS`.
        hook: where, e.g. "resample"; "strategy" for the class itself.
        world: in which training set it showed first, e.g. "absent label"; "" where that does not matter.
        problem: what was seen.
    """

    check: str
    hook: str
    world: str
    problem: str

    @property
    def remedy(self) -> str:
        """What would be right."""
        return CHECKS[self.check]

    def __str__(self) -> str:
        where = f"{self.hook}, {self.world}" if self.world else self.hook
        return f"{self.check} ({where}): {self.problem} - {self.remedy}"


class Findings:
    """Findings as they come up: one for each check and hook, the first."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Finding] = {}

    def note(self, check: str, hook: str, world: str, problem: str) -> None:
        """Keep a finding, unless the same check has failed at this hook before."""
        if check not in CHECKS:
            raise KeyError(check)
        line = " ".join(str(problem).split())
        self._found.setdefault((check, hook), Finding(check, hook, world, line[:300]))

    def demand(self, right: object, check: str, hook: str, world: str, problem: str) -> bool:
        """Note a problem unless `right`; whether it was right."""
        if not right:
            self.note(check, hook, world, problem)
        return bool(right)

    def failed(self, check: str, hook: str) -> bool:
        """Whether a check has failed at a hook."""
        return (check, hook) in self._found

    def all(self) -> list[Finding]:
        """In the order of the rules."""
        order = list(CHECKS)
        return sorted(self._found.values(), key=lambda f: order.index(f.check))
