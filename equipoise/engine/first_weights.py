"""The initial parameters of each lane; the output bias comes from `output_bias`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.core.seeds import seed_of
from equipoise.engine.lanes import Lane
from equipoise.engine.output_bias import best_constant_logits


def first_weights(lanes: Sequence[Lane], width: int, batch_size: int) -> list[dict[str, Tensor]]:
    """The parameters of each lane. Lanes of one role (trials of a fold) get the same ones, except for the output bias.

    Parameters under the penalty come first, so that they lie together in memory.
    """
    made: dict[object, dict[str, Tensor]] = {}
    keys = [(lane.role, id(lane.label_inputs)) for lane in lanes]
    for key, lane in zip(keys, lanes, strict=True):
        if key not in made:
            made[key] = _init(lane, width)
    own = [made[key] for key in keys]
    name = lanes[0].backbone.output
    if not name:
        return own
    biases = best_constant_logits(lanes, batch_size)
    shape = own[0][name].shape
    return [{**p, name: torch.from_numpy(b).view(shape)} for p, b in zip(own, biases, strict=True)]


def _init(lane: Lane, width: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed_of("init", *lane.role) % 2**63)
    params = lane.backbone.init(width, lane.targets.shape[1], generator)
    if (
        lane.label_inputs is not None
    ):  # zeros: a chain begins as binary relevance, with the same initial weights
        params["given"] = torch.zeros(
            lane.label_inputs.labels.shape[1], params[lane.backbone.conditioning_bias].shape[-1]
        )
    return dict(sorted(params.items(), key=lambda item: item[0] in lane.backbone.biases))
