"""The initial parameters of each lane; the output bias comes from `output_bias`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.core.seeds import seed_of
from equipoise.engine.lanes import LABEL_WEIGHT, Lane
from equipoise.engine.starts.output_bias import best_constant_logits


def first_weights(lanes: Sequence[Lane], width: int, batch_size: int) -> list[dict[str, Tensor]]:
    """The initial parameters of each lane.

    Lanes of one role (the trials of a fold, under every strategy) begin with equal parameters, except for the bias of the
    outputs, which depends on the loss (see `output_bias`). So strategies are compared from the same start.

    Parameters with a penalty come first, so that they are contiguous in memory and the optimizer can update them at once.
    """
    by_role: dict[object, dict[str, Tensor]] = {}
    keys = [(lane.role, id(lane.label_inputs)) for lane in lanes]
    for key, lane in zip(keys, lanes, strict=True):
        if key not in by_role:
            by_role[key] = _init(lane, width)
    params = [by_role[key] for key in keys]
    name = lanes[0].backbone.output
    if not name:
        return params
    biases = best_constant_logits(lanes, batch_size)
    shape = params[0][name].shape
    return [{**p, name: torch.from_numpy(b).view(shape)} for p, b in zip(params, biases, strict=True)]


def _init(lane: Lane, width: int) -> dict[str, Tensor]:
    """The backbone's initial parameters, and the weight of label inputs if the lane takes any."""
    generator = torch.Generator().manual_seed(seed_of("init", *lane.role) % 2**63)
    params = lane.backbone.init(width, lane.targets.shape[1], generator)
    # Zeros, and no random number drawn: a chain begins as binary relevance with the same initial weights.
    if lane.label_inputs is not None:
        params[LABEL_WEIGHT] = torch.zeros(
            lane.label_inputs.labels.shape[1], params[lane.backbone.conditioning_bias].shape[-1]
        )
    return dict(sorted(params.items(), key=lambda item: item[0] in lane.backbone.biases))
