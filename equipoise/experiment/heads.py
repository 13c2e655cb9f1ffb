"""Replaces the last layer of trained networks: the stage `head`, after training and before score maps and decisions.

A head is fitted on the rows that its network was trained on and applied to other rows: the head of a fold to the rows that the
fold holds out, the head of the refit to the test rows. No network is trained for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.contracts import hook_results
from equipoise.contracts.strategy import Context, Head, Strategy
from equipoise.core.lazy import lazy
from equipoise.core.seeds import stream
from equipoise.experiment.jobs import repeat_role

if TYPE_CHECKING:
    import threadpoolctl

    from equipoise.experiment.cross_validation import CrossValidator, CVResult, FittedModel
    from equipoise.ops.inputs import Inputs
else:
    threadpoolctl = lazy("threadpoolctl")


@dataclass(frozen=True, eq=False)
class FoldNetworks:
    """The networks of one trial, one for each inner fold, as heads see them.

    Attributes:
        validator: the training rows and their folds.
        logits: (n, L) the networks' own out-of-fold logits, NaN in rows that no fold held out.
        models: the networks, in the order of the folds. representations: of all rows by each network, (n, H).
    """

    validator: CrossValidator
    logits: np.ndarray
    models: Sequence[FittedModel]
    representations: Sequence[np.ndarray]

    @classmethod
    def of(cls, validator: CrossValidator, cv: CVResult) -> FoldNetworks:
        """The networks of a trial that was cross-validated."""
        every_row = [np.arange(len(validator.Y)) for _ in cv.models]
        return cls(
            validator,
            cv.logits,
            cv.models,
            represent(validator, cv.models, validator.trainer.inputs, every_row),
        )

    def out_of_fold(self, strategy: Strategy) -> np.ndarray:
        """(n, L) logits of the strategy's heads, each fitted on the rows that its fold trained on, in the rows it held out."""
        out = np.array(self.logits)
        # Products on several threads add in another order.
        with threadpoolctl.threadpool_limits(limits=1):
            for fold, (model, h) in enumerate(zip(self.models, self.representations, strict=True)):
                held_out = self.validator.folds == fold
                head = _fitted(strategy, self.validator, model, h[~held_out], ~held_out, fold)
                out[held_out] = head(h[held_out], out[held_out])
        return out


def refitted_logits(
    strategy: Strategy, validator: CrossValidator, model: FittedModel, inputs: Inputs, logits: np.ndarray
) -> np.ndarray:
    """The logits (m, L) of new rows by the refitted network with the strategy's head.

    Args:
        inputs: the features of the new rows. logits: (m, L) the network's own logits of these rows.
    """
    training = np.ones(len(validator.Y), dtype=bool)
    rows = [np.arange(len(training))]
    (h,) = represent(validator, [model], validator.trainer.inputs, rows)
    (new,) = represent(validator, [model], inputs, [np.arange(len(logits))])
    with threadpoolctl.threadpool_limits(limits=1):
        head = _fitted(strategy, validator, model, h, training, None)
        return head(new, logits).astype(logits.dtype)


def represent(
    validator: CrossValidator, models: Sequence[FittedModel], inputs: Inputs, rows: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The representations (v_m, H) of each model for its own rows (v_m,) of the inputs."""
    # A head is never combined with tasks, so a model has one network.
    networks = [network for model in models for network in model.networks]
    return validator.represent(networks, inputs, rows)


def _fitted(
    strategy: Strategy,
    validator: CrossValidator,
    model: FittedModel,
    representation: np.ndarray,
    rows: np.ndarray,
    fold: int | None,
) -> Head:
    """The strategy's head, fitted on these training rows (n,) bool and their representation."""
    (network,) = model.networks
    weight, bias = network.backbone.head_of(network.params)
    # Nothing can be fitted to a network that diverged; its logits are not finite either, and stay as they are.
    if not (np.isfinite(representation).all() and np.isfinite(weight).all()):
        return lambda h, z: z
    Y = np.ascontiguousarray(validator.Y[rows])
    role = repeat_role(validator.role, model.repeat)
    ctx = Context(Y.sum(0, dtype=np.int64), len(Y), rng=stream("head", *role, fold))
    owner = strategy.owner("head")
    head = hook_results.fitted(owner, "head", owner.head(representation, Y, weight, bias, ctx))
    return lambda h, z: hook_results.scores(owner, "head", head(h, z), z.shape, h, z)
