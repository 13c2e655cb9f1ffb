"""The strategy contract: a frozen dataclass whose fields are hyperparameters and which overrides the hooks it needs.

    @dataclass(frozen=True)
    class MyLoss(Strategy):
        '''Cross-entropy with rare labels weighted up.'''

        name = "my_loss"
        power: float = tunable(0.5, low=0.0, high=1.0)

        def loss(self, logits, targets, ctx):
            weight = (ctx.n_rows / (ctx.n_pos + 1.0)) ** self.power
            return weight * bce(logits, targets)

Hooks, in the order in which they act: `resample`, `tasks`/`merge`, `weights`, `loss`, `adjust`, `decide`. See DESIGN in
the documentation for what each sees. All randomness comes from `ctx.rng`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equipoise.contracts.hyperparameters import Configurable

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts.rows import Rows
    from equipoise.contracts.tasks import Task

#: The hooks that name a stage; `merge` belongs to `tasks`.
STAGES = ("resample", "weights", "loss", "tasks", "adjust", "decide")
#: Stages where several strategies act one after the other; the others have one owner.
CHAINED = frozenset({"resample", "adjust"})
#: Stages that act on a network that is trained already.
DECIDING = frozenset({"adjust", "decide"})


@dataclass(frozen=True)
class Context:
    """What a hook may know besides its arguments.

    Attributes:
        n_pos: (L,) positives of each label in the training rows, before any resampling. A NumPy array, except in `loss`,
            where it is a float tensor on the device.
        n_rows: the number of those rows (in `loss`: a scalar tensor).
        rng: this hook's own random stream (None in `loss`, which is deterministic).
        progress: share of the training done, 0..1 (a scalar tensor in `loss`).
        folds: (n,) the fold that held each row out, in `adjust` and `decide`.
    """

    n_pos: Any
    n_rows: Any
    rng: np.random.Generator = field(default=None, repr=False)  # type: ignore[assignment]
    progress: Any = 0.0
    folds: Any = field(default=None, repr=False)

    @property
    def prior(self) -> Any:
        """(L,) share of positive training rows of each label."""
        return self.n_pos / self.n_rows


@dataclass(frozen=True)
class Strategy(Configurable):
    """No balancing at all, and the base of every strategy.

    Attributes:
        name: how it is called in a suite and on the command line.
        reference: author, year and DOI of what it implements.
        requires: what it cannot do without: "numeric" (inputs that can be averaged), "text", "labels" (two labels or more), or
            "given" (a backbone that takes labels as further inputs).
            A pair that does not fit is skipped with its reason.
        off: the settings, where there are such, at which it must equal no strategy bit for bit.
        vectorized: True where `loss` also takes what belongs to K lanes: logits and targets (K, B, L), n_pos (K, 1, L), n_rows,
            progress and tunable fields (K, 1, 1), giving (K, …). It is then called once for all; else through `torch.vmap`,
            at half the speed.
        tuned_on: what a strategy that only maps scores is tuned on, after the network is chosen as for `none`: "log_loss" of the
            mapped scores, or "macro_f1" at one half, for a map that is meant to move decisions there. One that decides is
            tuned on the macro-F1 of its decisions.
    """

    reference: ClassVar[str] = ""
    requires: ClassVar[frozenset[str]] = frozenset()
    off: ClassVar[Mapping[str, Any] | None] = None
    vectorized: ClassVar[bool] = False
    tuned_on: ClassVar[str] = "log_loss"

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        """Keep, repeat, drop, relabel or synthesise training rows."""
        return rows

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        """Split the problem with training labels Y (n, L) into sub-problems, each trained by a network of its own."""
        from equipoise.contracts.tasks import Task

        return [Task(tuple(range(Y.shape[1])))]

    def merge(self, tasks: Sequence[Task], logits: Sequence[np.ndarray], ctx: Context) -> np.ndarray:
        """Join the sub-problems' logits, one (n, L_t) array a task, to (n, L)."""
        from equipoise.contracts.tasks import merge_columns

        return merge_columns(tasks, logits, len(ctx.n_pos))

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        """(n,) how often each row is drawn, up to a factor; all equal means: in shuffled passes, without replacement.

        Or (S, n), S key frames at equal distances from the first step to the last, each up to a factor of its own: between
        two of them the shares move linearly. Where all S·n weights are equal, shuffled passes again.
        """
        return np.ones(len(Y))

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        """The unreduced loss (B, L) or (B,) of one lane's logits and 0/1 targets, both (B, L) float.

        Plain tensor code: fields of this strategy may be scalar tensors here, so it must not branch in Python on them.
        """
        return bce(logits, targets)

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        """Fit a map logits → logits on out-of-fold logits (n, L) and their labels Y (n, L)."""
        return lambda z: z

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        """Fit a map logits → bool on out-of-fold logits (n, L) and their labels Y (n, L)."""
        return lambda z: z > 0

    def fit_resample(self, X: Any, Y: Any, seed: int = 0, nominal: Any = None) -> tuple[Any, Any]:
        """Resample plain arrays, as users of imbalanced-learn know it; compositions resample in turn.

        >>> from equipoise import get_strategy
        >>> X, Y = get_strategy("lp_ros").fit_resample([["a"], ["b"], ["c"], ["d"]], [[1], [1], [1], [0]])
        >>> X.shape, Y.shape
        ((5, 1), (5, 1))

        Args:
            X: (n, d) numbers, dense or sparse (comes back as CSR), as they are: bring them to one scale first, for those
                that take distances. For those that don't, anything with n rows, e.g. an object array of texts.
            Y: (n, L) of 0/1. seed: the same seed gives the same rows.
            nominal: (d,) bool, columns that are categories; see `Rows.nominal`.

        Returns:
            X and Y of the rows after resampling, synthesised ones last.

        Raises:
            EquipoiseError: shapes that don't fit, values that are no 0/1, texts where distances are needed, or a strategy
                that does not resample.
        """
        from equipoise.contracts.plain_arrays import fit_resample

        return fit_resample(self, X, Y, seed, nominal)

    @property
    def parts(self) -> tuple[Strategy, ...]:
        """The strategies this one is composed of; itself alone unless it is a composition."""
        return (self,)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages this strategy owns: the hooks it overrides."""
        return tuple(s for s in STAGES if getattr(type(self), s) is not getattr(Strategy, s))

    def owner(self, stage: str) -> Strategy:
        """The part that owns a one-owner stage, or the base strategy, which does nothing there."""
        return next((p for p in self.parts if stage in p.stages), Strategy())

    def chain(self, stage: str) -> list[Strategy]:
        """The parts that act at a chained stage, in order."""
        return [p for p in self.parts if stage in p.stages]


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy from logits, unreduced, same shape as its arguments; finite for any finite logit.

    Its gradient in the logits has the same bits whether lanes are batched by `torch.vmap` or not.
    """
    from equipoise.ops.cross_entropy import BinaryCrossEntropy

    out: Tensor = BinaryCrossEntropy.apply(logits, targets)  # type: ignore[no-untyped-call]
    return out
