"""The gradients of one step of a population: its forward passes, its losses and the way back."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from equipoise.engine.predict import forward, forward_in_two, forward_lane
from equipoise.ops.chain import Chain
from equipoise.ops.precision import products_in
from equipoise.ops.sparse import Stacked

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from equipoise.contracts.backbone import Backbone
    from equipoise.engine.bank import Batch
    from equipoise.engine.loss import PopulationLoss
    from equipoise.ops.dropout import Dropout
    from equipoise.ops.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Backpropagation:
    """Adds the gradients of a batch to the parameters of all lanes.

    There are three ways, chosen by the loss and the backbone. All give a lane the same gradients, up to rounding; which one is
    taken never depends on the number of lanes, so that the bits of a lane do not, either.

    Attributes:
        precision: of matrix products, as in `Settings`.
        dropout: draws the masks of every lane; used once for each step.
    """

    backbone: Backbone
    precision: str
    device: torch.device
    dropout: Dropout

    def run(
        self, params: Parameters, loss: PopulationLoss, progress: np.ndarray | Tensor, batch: Batch
    ) -> None:
        """Compute the gradients of one batch.

        Args:
            progress: (K,) the share of its steps that each lane has taken, 0 to 1.
            batch: the inputs of all lanes, their targets (K, B, L), and their label inputs (K, B, G) or None.
        """
        if loss.sees_representation:
            self._through_both(params, loss, progress, batch)
        elif not self.backbone.stacks(self.device) and loss.is_closed:
            self._in_turn(params, loss, batch)
        else:
            self._together(params, loss, progress, batch)

    def _through_both(
        self, params: Parameters, loss: PopulationLoss, progress: np.ndarray | Tensor, batch: Batch
    ) -> None:
        """The gradients of losses that depend on the representation as well as on the logits."""
        x, y, label_inputs = batch
        with products_in(self.precision, self.device):
            hidden, logits = forward_in_two(self.backbone, params, x, self.dropout, label_inputs)
            outputs = logits.float(), hidden.float()
        gradients = loss.gradients(outputs[0].detach(), outputs[1].detach(), y, progress)
        torch.autograd.backward(outputs, gradients)

    def _together(
        self, params: Parameters, loss: PopulationLoss, progress: np.ndarray | Tensor, batch: Batch
    ) -> None:
        """The gradients of all lanes at once."""
        x, y, label_inputs = batch
        # Label inputs enter through a second affine map beside the chain; `Stacked` rows go through autograd.
        chained = self.backbone.chained and label_inputs is None and not isinstance(x, Stacked)
        chain = Chain() if chained else None
        with products_in(self.precision, self.device), chain or nullcontext():
            logits = forward(self.backbone, params, x, self.dropout, label_inputs).float()
        grad = loss.grad_logits(logits.detach(), y, progress)
        if chain is not None:
            chain.backward(logits, grad)
        else:
            logits.backward(grad)

    def _in_turn(self, params: Parameters, loss: PopulationLoss, batch: Batch) -> None:
        """The gradients of one lane after the other.

        What a lane's forward pass keeps for the way back is still in the processor's cache then, and memory holds it for one
        lane only. Losses without a closed form would take longer lane by lane than all at once.
        """
        x, y, label_inputs = batch
        for k in range(len(y)):
            with products_in(self.precision, self.device):
                logits = forward_lane(self.backbone, params, k, x, self.dropout, label_inputs)
            logits = logits.float()
            logits.backward(loss.closed(logits.detach()[None], y[k : k + 1])[0])
