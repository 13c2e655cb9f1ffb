"""A fitted model that predicts: features, networks, and what strategies do to their outputs; the same in memory and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
import torch
from numpy.typing import ArrayLike

from equipoise.contracts import hook_results
from equipoise.contracts.backbone import Backbone
from equipoise.contracts.context import Context
from equipoise.contracts.strategy import Head, Strategy
from equipoise.contracts.tasks import Task
from equipoise.core.arrays import is_sparse
from equipoise.core.errors import EquipoiseError, one_line
from equipoise.core.lazy import lazy
from equipoise.core.seeds import stream
from equipoise.engine.lanes import Trained
from equipoise.engine.scheduler import Trainer
from equipoise.experiment.cross_validation import CrossValidator, FittedModel
from equipoise.experiment.decision import DecisionRule, fit_decision_rule
from equipoise.experiment.settings import Settings
from equipoise.ops.device import repeatable
from equipoise.thresholds import ThresholdRule

if TYPE_CHECKING:
    from pathlib import Path

    import threadpoolctl

    from equipoise.ops.inputs import Inputs
    from equipoise.takehome import saved
    from equipoise.takehome import table as tables
else:
    threadpoolctl = lazy("threadpoolctl")
    # These import this module.
    saved, tables = lazy("equipoise.takehome.saved"), lazy("equipoise.takehome.table")

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Evidence:
    """What decisions, score maps and heads are fitted on, which is done anew where a model is loaded.

    They are functions of the strategy's own, which cannot be written to a file; what they are fitted on can. Arrays that a
    strategy does not need are None, so that a folder says no more about the training rows than it must.

    Attributes:
        role: names the random streams.
        tuned: (L,) the thresholds that every strategy gets.
        own: (L,) those of the strategy's own decision, where it is one by thresholds.
        oof_logits, oof_Y, oof_folds: (m, L), (m, L) and (m,), the out-of-fold logits, their labels and folds.
        representation, train_Y: (n, H) and (n, L), what the last layer of the network gets of the training rows, and their
            labels.
    """

    role: tuple[Any, ...]
    tuned: np.ndarray
    own: np.ndarray | None = None
    oof_logits: np.ndarray | None = None
    oof_Y: np.ndarray | None = None
    oof_folds: np.ndarray | None = None
    representation: np.ndarray | None = None
    train_Y: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """A model of one data set, from texts or numbers to labels.

    Attributes:
        facts: what the model card says, as plain data.
        strategy: the parts of the strategy that act in prediction, with their settings.
        backbone: with its settings. features: fitted on the training rows.
        tasks, networks: the sub-problems, and the parameters of the network of each.
        ctx: the label counts with which the outputs of the sub-problems are joined.
    """

    facts: Mapping[str, Any]
    strategy: Strategy
    backbone: Backbone
    features: Any
    tasks: Sequence[Task]
    networks: Sequence[Mapping[str, torch.Tensor]]
    ctx: Context
    evidence: Evidence

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, in the order of the columns of predictions."""
        return tuple(self.facts["labels"])

    @property
    def decision(self) -> str:
        """How labels are decided: "tuned" (a threshold for each label), "fixed" (probability 0.5) or "own" (the strategy's)."""
        return str(self.facts["decision"])

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder, which `equipoise.load_model` and `equipoise predict` read.

        Raises:
            EquipoiseError: the folder holds something else than a model.
        """
        return saved.save(self, folder)

    def predict(self, X: Any) -> np.ndarray:
        """The labels of new rows, (n, L) uint8 of 0/1.

        Args:
            X: (n,) texts; or (n, d) numbers in the columns the model was fitted on; or a frame that has these columns by name.

        Raises:
            EquipoiseError: X is something else.
        """
        return self.outputs(X)[self.decision].astype(np.uint8)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, L) float64, the logistic function of the scores after the score maps of the strategy.

        They are calibrated only where the strategy sees to it. A label may be predicted at less than 0.5, since each has a
        threshold of its own.
        """
        return np.array(probabilities(self.outputs(X)["scores"]))

    def outputs(self, X: Any) -> dict[str, np.ndarray]:
        """The scores of new rows as logits ("scores", (n, L)) and every decision ("fixed", "tuned", "own", (n, L) bool)."""
        rows = self._rows(X)
        with repeatable(_CPU):
            inputs = self.features.transform(rows)
            every = [np.arange(len(inputs))]
            # The code of a benchmark, so that a model predicts what was measured.
            (of_tasks,) = self._validator.task_logits([self._fitted], inputs, every)
            logits = self._validator.merge(self._fitted, of_tasks)
            votes = self._validator.vote(self._fitted, of_tasks)
            if self.evidence.representation is not None:
                logits = self._with_head(inputs, every, logits)
            return self.rule.all(logits, votes)

    def _rows(self, X: Any) -> Any:
        """The rows as the data set would hold them."""
        # The order of a frame's columns means nothing, and a list of a frame is that of its column names.
        if hasattr(X, "columns") and self.facts["table"]["inputs"]:
            X = tables.rows_of(self.facts, X)
        if isinstance(X, Mapping | Set):
            raise EquipoiseError(
                f"rows to predict are a list, an array or a frame, and no {type(X).__name__}"
            )
        return self._texts(X) if self.facts["input"] == "text" else self._numbers(X)

    @staticmethod
    def _texts(X: Any) -> np.ndarray:
        # A text is itself a sequence of texts of one letter.
        texts = np.asarray([X] if isinstance(X, str) else list(X), dtype=object)
        strange = next((text for text in texts if not isinstance(text, str)), None)
        if not len(texts) or strange is not None:
            what = "no rows" if not len(texts) else f"a {type(strange).__name__}"
            raise EquipoiseError(f"this model predicts from texts; it was given {what}")
        return texts

    def _numbers(self, X: Any) -> Any:
        width = int(self.facts["columns"])
        try:
            numbers: Any = X if is_sparse(X) else np.asarray(X, dtype=np.float32)
        except (TypeError, ValueError) as problem:
            raise EquipoiseError(
                f"this model predicts from rows of {width} numbers: {one_line(problem, 80)}"
            ) from None
        if numbers.ndim != 2 or numbers.shape[1] != width or not numbers.shape[0]:
            raise EquipoiseError(
                f"this model predicts from rows of {width} numbers, not from shape {numbers.shape}"
            )
        if self.facts["input"] == "sparse":
            numbers = scipy.sparse.csr_matrix(numbers, dtype=np.float32)
        elif is_sparse(numbers):
            numbers = numbers.toarray()
        if not np.isfinite(numbers.data if is_sparse(numbers) else numbers).all():
            raise EquipoiseError("a row to predict holds NaN or an infinite number")
        return numbers

    @cached_property
    def rule(self) -> DecisionRule:
        """The score maps and decisions."""
        evidence = self.evidence
        if evidence.oof_logits is not None and evidence.oof_Y is not None and evidence.oof_folds is not None:
            return fit_decision_rule(
                self.strategy, evidence.oof_logits, evidence.oof_Y, evidence.oof_folds, evidence.role
            )
        # Without out-of-fold scores there is no score map, and every decision is one by stored thresholds.
        # None where the tasks vote, see `DecisionRule.own`.
        own = None if evidence.own is None else ThresholdRule(evidence.own)
        return DecisionRule(lambda z: z, own, ThresholdRule(evidence.tuned))

    def _with_head(self, inputs: Inputs, rows: list[np.ndarray], logits: np.ndarray) -> np.ndarray:
        (new,) = self._validator.represent(self._fitted.networks, inputs, rows)
        # The number of threads changes the order of sums, and with it the last bits.
        with threadpoolctl.threadpool_limits(limits=1):
            return self._head(new, logits).astype(logits.dtype)

    @cached_property
    def _head(self) -> Head:
        """The last layer of the strategy's own, fitted as `experiment.heads` fits it after a refit."""
        representation, Y = self.evidence.representation, self.evidence.train_Y
        assert representation is not None
        assert Y is not None
        weight, bias = self.backbone.head_of(self.networks[0])
        # The training diverged; no layer can be fitted to that, so the scores stay as they are.
        if not (np.isfinite(representation).all() and np.isfinite(weight).all()):
            return lambda h, z: z
        rng = stream("head", *self.evidence.role, None)
        owner = self.strategy.owner("head")
        fitted = owner.head(
            representation, Y, weight, bias, Context(Y.sum(0, dtype=np.int64), len(Y), rng=rng)
        )
        head = hook_results.fitted(owner, "head", fitted)
        return lambda h, z: hook_results.scores(owner, "head", head(h, z), z.shape, h, z)

    @cached_property
    def _fitted(self) -> FittedModel:
        networks = [Trained(dict(params), self.backbone, 0) for params in self.networks]
        return FittedModel(self.tasks, networks, self.ctx, {})

    @cached_property
    def _validator(self) -> CrossValidator:
        """What joins the outputs of the sub-problems in a benchmark; it has no training rows here."""
        n_labels = len(self.labels)
        nothing: Any = None
        return CrossValidator(
            self.strategy,
            self.backbone,
            None,
            None,
            np.zeros((1, n_labels), dtype=np.uint8),
            np.zeros(1, dtype=np.int64),
            self.evidence.role,
            # Nothing is trained here, so that no setting has an effect.
            Settings(),
            Trainer(nothing, Settings().batch_size, _CPU),
        )


def probabilities(logits: ArrayLike) -> Any:
    """Logits (thresholds or scores, of any shape) as probabilities, in lists of floats."""
    return scipy.special.expit(np.asarray(logits, dtype=np.float64)).tolist()
