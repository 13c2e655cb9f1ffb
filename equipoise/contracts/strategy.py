"""The strategy contract. A strategy is a frozen dataclass: its fields are hyperparameters, and it overrides the hooks it needs.

    from dataclasses import dataclass

    from equipoise import Strategy, bce, tunable

    @dataclass(frozen=True)
    class RareFirst(Strategy):
        '''Cross-entropy that weights rare labels up.'''

        name = "rare_first"
        reference = "yours: author, year, DOI"
        power: float = tunable(0.5, low=0.0, high=1.0)

        def loss(self, logits, targets, ctx):
            weight = (ctx.trained_rows / (ctx.trained_pos + 1.0)) ** self.power
            return weight * bce(logits, targets)

That is a whole plugin. `equipoise new strategy rare_first` writes such a file with comments, `equipoise check ./rare_first.py`
tests it against the rules below, and `--strategy ./rare_first.py` runs it.

A strategy overrides one hook or several; none of them must be there. What it leaves out keeps the meaning of the base class:
all rows as they are, one network, every row equally often, cross-entropy, unchanged logits, and the threshold 0.5. The hooks
act in this order. n is the number of training rows, L of labels, B of rows in a batch, H of units before the last layer:

    hook             gets                                       returns                                   several?
    ---------------  -----------------------------------------  ----------------------------------------  --------
    resample         rows: the training rows (`Rows`)           other `Rows`: some kept, repeated,        a chain
                                                                dropped, relabelled or synthesised
    tasks            Y (n, L) 0/1, after resampling             a list of `Task`, one network each        one owner
      with merge     one array (n, L_t) of logits a task        (n, L) logits
      and vote       the same                                   (n, L) bool, the method's own decision
    weights          Y (n, L) 0/1 of the rows a network         (n,) or (S, n) sampling weights, finite   one owner
                     learns from                                and not negative, not all zero
    loss             logits (B, L) and 0/1 targets (B, L)       (B, L) or (B,) losses, not yet averaged   one owner
    head             the representation (n, H) of the rows a    a function (m, H) representation, (m, L)  one owner
                     network learned from, their Y (n, L), the  logits of the network → (m, L) logits
                     last layer's weight (H, L) and bias (L,)
    adjust           out-of-fold logits (n, L), their Y (n, L)  a function (m, L) logits → (m, L) logits  a chain
    decide           the same, after `adjust`                   a function (m, L) logits → (m, L) bool    one owner

*Several?* says what happens in a composition such as `ml_ros+focal+scut`. In a chain each strategy acts on what the one before
it returned. A hook with one owner may be overridden by one of them only; two are refused with an error that names both.

A hook must
- return what the table says for any training set: a label without positives, one label or 300, 12 rows, sparse inputs, text;
- draw from `ctx.rng` whatever is random, and from no global generator, so that the same seed gives the same result;
- leave its arguments as they are, and read no file and no device: what it may know is in its arguments and in `ctx`.

`loss` must, besides,
- be finite with a finite gradient for any finite logits;
- take hyperparameters as tensors, with no Python `if` on a tunable number: many settings train side by side in one program;
- use no random numbers (`ctx.rng` is None there).

With `sees_representation = True`, a loss also gets `ctx.representation`, the (B, H) inputs of the network's last layer, and its
gradient goes into them as well as into the logits. It is None where there is no network: the engine asks for the best constant
logits, or for the shape of the loss. The loss is then its part that depends on the logits.

`head` is fitted once for each network: in cross-validation on the rows that its fold's network was trained on, and applied to
the fold's held-out rows; after the refit on all training rows, and applied to the test rows. The rows are the original ones,
before any resampling. It cannot be combined with `tasks`: there would be several networks.

A hook may
- use the label counts in `ctx`: `n_pos` and `n_rows` of the rows *before* resampling, `trained_pos` and `trained_rows` of those
  that a network learns from. A loss that balances labels takes the latter, else `ml_ros+yours` would balance them twice;
- use, in `loss`, `ctx.progress`, 0 to 1;
- in `resample`, add rows of a file of the user's: with `requires = frozenset({"file"})` and a field `file`, `rows.offered` holds
  those that give nothing held out away, and `rows.include` adds some of them (see `external_rows`);
- see fewer labels than the data set has: where another strategy has split the problem, `weights` and `loss` get the columns and
  the label counts of the task they belong to.

Test rows are never seen by a hook. `adjust` and `decide` get logits that were predicted for rows held out in cross-validation,
after `head`. The settings of these three are chosen after the network, see `tuned_on`.

Where a strategy cannot differ from another one, as at settings that switch it off, it says so in `same_as`. Reports then do not
count the two as a comparison, and the kit trains both to see whether it is true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

# By its own name, since strategies import it from here.
from equipoise.contracts.context import Context as Context
from equipoise.contracts.hyperparameters import Configurable, tunables
from equipoise.contracts.tasks import Task, merge_columns
from equipoise.core.lazy import lazy

if TYPE_CHECKING:
    from torch import Tensor

    from equipoise.contracts import plain_arrays
    from equipoise.contracts.backbone import Backbone
    from equipoise.contracts.equality import Equality
    from equipoise.contracts.rows import Rows
    from equipoise.ops import cross_entropy
else:
    # The first imports this module, the second PyTorch.
    plain_arrays = lazy("equipoise.contracts.plain_arrays")
    cross_entropy = lazy("equipoise.ops.cross_entropy")

#: The hooks that name a stage; `merge` and `vote` belong to `tasks`.
STAGES = ("resample", "weights", "loss", "tasks", "head", "adjust", "decide")
#: Stages where several strategies act one after the other; the others have one owner.
CHAINED = frozenset({"resample", "adjust"})
#: What a strategy may change for the parts of a composition that act after it, by its name in `Strategy.changes`.
CHANGES = {
    "rows": "how frequent the labels are among the training rows",
    "draws": "how frequent the labels are among the rows drawn into batches, or into the samples of sub-problems",
    "prior": "the prior of a label in its scores: they are no log-odds under the label frequencies of the rows trained on",
    "halves": "rows are split into copies that share the labels among them",
    "shift": "the scores of a label are moved by a constant",
}
#: Stages that act on a network that is trained already.
DECIDING = frozenset({"head", "adjust", "decide"})
#: The requirement of a strategy that acts on what a network has learned.
REPRESENTATION = "representation"
#: A fitted `head`: representation (m, H) and logits (m, L) of the network → logits (m, L).
Head: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Strategy(Configurable):
    """No balancing at all, and the base of every strategy.

    Attributes:
        name: its name in suites, on the command line and in results.
        reference: author, year and DOI of the method.
        requires: what it cannot do without: "numeric" (inputs that can be interpolated), "text", "labels" (two labels or more),
            "given" (a backbone that takes labels as inputs), "representation" (a backbone that learns one; a strategy with a
            `head`, or a loss that sees the representation, needs no declaration), or "file" (rows of the user's own in the file
            that its field `file` names; the pipeline reads them and offers them to `resample` as `rows.offered`).
            A data set or backbone that does not fit, or a missing file name, is skipped with this reason.
        off: the settings at which it must equal `none` bit for bit; None if there are none.
        vectorized: True where `loss` also accepts K trainings at once: logits and targets (K, B, L), n_pos and trained_pos
            (K, 1, L), n_rows, trained_rows, progress and tunable fields (K, 1, 1), and returns (K, …). It is then called once
            for all of them; otherwise `torch.vmap` batches it, at half the speed.
        exclusive: True where all its tasks learn labelsets as exclusive classes, so that its `loss`, which then only says that it
            has one, is softmax cross-entropy. Estimators, which take no other loss, can fit that.
        changes: what it changes for the parts of a composition that act after it, keys of `CHANGES`; see `clashes`.
        sees_representation: True where `loss` uses `ctx.representation`, which is (K, B, H) if `vectorized`.
        tuned_on: what a strategy that only maps scores is tuned on, after the network has been chosen as for `none`: "log_loss"
            of the mapped scores; "macro_f1" at one half, for a map that is meant to move decisions there; or "objective", that
            of the search at tuned thresholds, for a `head` that puts rows in another order. A strategy that decides is tuned on
            the macro-F1 of its decisions.
    """

    reference: ClassVar[str] = ""
    requires: ClassVar[frozenset[str]] = frozenset()
    off: ClassVar[Mapping[str, Any] | None] = None
    vectorized: ClassVar[bool] = False
    exclusive: ClassVar[bool] = False
    changes: ClassVar[frozenset[str]] = frozenset()
    sees_representation: ClassVar[bool] = False
    tuned_on: ClassVar[str] = "log_loss"

    def resample(self, rows: Rows, ctx: Context) -> Rows:
        """Keep, repeat, drop, relabel or synthesise training rows."""
        return rows

    def tasks(self, Y: np.ndarray, ctx: Context) -> Sequence[Task]:
        """Split the problem with training labels Y (n, L) into sub-problems, each learned by a network of its own.

        A task that learns labelsets as exclusive classes is trained with softmax cross-entropy, and `loss` is not called.
        """
        return [Task(tuple(range(Y.shape[1])))]

    def merge(self, tasks: Sequence[Task], logits: Sequence[np.ndarray], ctx: Context) -> np.ndarray:
        """Join the logits of the sub-problems, one (n, L_t) array a task, into (n, L)."""
        return merge_columns(tasks, logits, len(ctx.n_pos))

    def vote(self, tasks: Sequence[Task], logits: Sequence[np.ndarray], ctx: Context) -> np.ndarray:
        """The method's own decision from the logits of the sub-problems, (n, L) bool.

        To be overridden where the method decides otherwise than `merge(…) > 0`: label powerset, for example, predicts the most
        probable labelset. It takes effect unless another part of a composition adjusts scores or decides: that part then acts
        on the merged logits.
        """
        return self.merge(tasks, logits, ctx) > 0

    def weights(self, Y: np.ndarray, ctx: Context) -> np.ndarray:
        """(n,) sampling weights, unnormalised; equal weights mean shuffled epochs without replacement.

        Or (S, n), weights that change during training: S rows of weights at equal distances from the first step to the last,
        each normalised by itself, with linear interpolation between them. If all S·n weights are equal, shuffled epochs.
        """
        return np.ones(len(Y))

    def loss(self, logits: Tensor, targets: Tensor, ctx: Context) -> Tensor:
        """The loss (B, L) or (B,) of logits and 0/1 targets, both (B, L) float, before it is averaged.

        Plain tensor code for one training. The fields of this strategy may be scalar tensors here, so never branch on them.
        """
        return bce(logits, targets)

    def head(
        self, representation: np.ndarray, Y: np.ndarray, weight: np.ndarray, bias: np.ndarray, ctx: Context
    ) -> Head:
        """Fit another last layer to a trained network; returns it as a function of representation and logits.

        The function gets the network's own logits, too, so that a head that changes nothing keeps their bits.

        Args:
            representation: (n, H) of the rows that the network was trained on, without dropout. Y: (n, L) their labels.
            weight: (H, L) and bias: (L,) of the last layer: its logits are representation · weight + bias, up to rounding.
        """
        return lambda h, z: z

    def adjust(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        """Fit a correction of the logits on out-of-fold logits (n, L) and labels (n, L); returns it as a function."""
        return lambda z: z

    def decide(self, logits: np.ndarray, Y: np.ndarray, ctx: Context) -> Callable[[np.ndarray], np.ndarray]:
        """Fit a decision on out-of-fold logits (n, L) and labels (n, L); returns it as a function logits → bool."""
        return lambda z: z > 0

    def same_as(self, backbone: Backbone, n_labels: int) -> Sequence[Equality]:
        """The strategies from which this one, with its settings, cannot differ on a backbone and data with L labels.

        For example, a score map that keeps the order of the rows of each label changes no tuned decision:

            return same("none", "it divides all logits by one number", ["map", "tuned"])

        Settings at which something holds must be fixed, see `fixed_at`. Two cases need no declaration: the settings `off`, and
        that a strategy which only decides changes nothing at one half and at tuned thresholds.
        """
        return ()

    def fixed_at(self, **values: Any) -> bool:
        """Whether the search leaves all these settings at these values."""
        fixed, searched = self.fixed, tunables(self)
        return all(getattr(self, n) == v and (n in fixed or n not in searched) for n, v in values.items())

    def fit_resample(self, X: Any, Y: Any, seed: int = 0, nominal: Any = None) -> tuple[Any, Any]:
        """Resample plain arrays, as in imbalanced-learn; the parts of a composition resample one after the other.

        >>> from equipoise import get_strategy
        >>> X, Y = get_strategy("lp_ros").fit_resample([["a"], ["b"], ["c"], ["d"]], [[1], [1], [1], [0]])
        >>> X.shape, Y.shape
        ((5, 1), (5, 1))

        Args:
            X: (n, d) numbers, dense or sparse (returned as CSR). A strategy that computes distances uses them as they are, so
                bring the columns to one scale first. A strategy that does not accepts anything with n rows, e.g. texts.
            Y: (n, L) of 0/1. Both may be arrays of NumPy, PyTorch, SciPy (sparse) or pandas.
            seed: the same seed gives the same rows.
            nominal: (d,) bool, the columns that are categories; see `Rows.nominal`.

        Returns:
            X and Y after resampling as arrays of NumPy, or CSR, with synthesised rows last.

        Raises:
            EquipoiseError: shapes that do not match, labels other than 0/1, texts where distances are needed, or a strategy
                that does not resample.
        """
        return plain_arrays.fit_resample(self, X, Y, seed, nominal)

    @property
    def clashes(self) -> Mapping[str, str]:
        """What it should not follow in a composition: a key of `CHANGES` → why, in a sentence about it and the other part.

        The sentence has {other} in the place of the name of the part that makes the change, e.g. "subtracts the prior,
        although it was corrected by {other}". `run`, `check` and `info` print it.
        """
        return {}

    @property
    def parts(self) -> tuple[Strategy, ...]:
        """The strategies that a composition consists of; for any other, the strategy itself."""
        return (self,)

    @property
    def identity(self) -> str:
        """What names it in the key of a row: its spec, in which the parts of a named composition are written out, too."""
        return self.spec

    @property
    def stages(self) -> tuple[str, ...]:
        """The hooks that it overrides, without `merge` and `vote`, which belong to `tasks`."""
        return tuple(s for s in STAGES if getattr(type(self), s) is not getattr(Strategy, s))

    @property
    def voter(self) -> Strategy | None:
        """The part whose `vote` is the own decision; None where the merged logits are decided."""
        owner = self.owner("tasks")
        # Whoever adds a score map wants its effect, which votes, taken before it, would not show.
        mapped = any("adjust" in p.stages for p in self.parts if p is not owner)
        return None if type(owner).vote is Strategy.vote or mapped or "decide" in self.stages else owner

    @property
    def needs(self) -> frozenset[str]:
        """All requirements: `requires`, and a representation where a hook acts on one."""
        acts = "head" in self.stages or self.sees_representation
        return self.requires | {REPRESENTATION} if acts else self.requires

    def owner(self, stage: str) -> Strategy:
        """The part that overrides a hook with one owner, or the base strategy where none does."""
        return next((p for p in self.parts if stage in p.stages), Strategy())

    def chain(self, stage: str) -> list[Strategy]:
        """The parts that override a chained hook, in the order in which they act."""
        return [p for p in self.parts if stage in p.stages]


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy from logits, unreduced, same shape as its arguments; finite for any finite logit.

    Its gradient in the logits has the same bits whether lanes are batched by `torch.vmap` or not.
    """
    out: Tensor = cross_entropy.BinaryCrossEntropy.apply(logits, targets)  # type: ignore[no-untyped-call]
    return out
