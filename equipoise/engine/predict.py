"""Forward passes of a population, and predictions in blocks of a fixed number of rows.

The fixed size matters: matrix kernels may round differently for another number of rows, and a row's logits must not depend on
how many rows are predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine import estimators
from equipoise.engine.lanes import LABEL_WEIGHT, Trained
from equipoise.ops.affine import affine
from equipoise.ops.dropout import Drop, Dropout
from equipoise.ops.inputs import Inputs, fed_to
from equipoise.ops.parameters import Parameters

#: Rows of a block in prediction, and the most networks that predict side by side.
BLOCK, SIDE_BY_SIDE = 256, 32


def forward(
    backbone: Any,
    params: Parameters,
    x: Any,
    dropout: Dropout | None,
    label_inputs: Tensor | None = None,
    method: str = "forward",
) -> Tensor:
    """Logits (K, B, L): computed at once if the backbone takes the parameters of all lanes, else lane by lane.

    Label inputs (K, B, G) enter as an affine term of the backbone's conditioning bias. With `method="represent"`, the result is
    the representation (K, B, H) instead.
    """
    compute = getattr(backbone, method)
    if backbone.stacks(params.device):
        conditioned = _conditioned(backbone, params.stacked, label_inputs)
        out: Tensor = compute(conditioned, x, dropout.stacked() if dropout else Drop())
        return out
    lanes = range(len(params))
    return torch.stack([forward_lane(backbone, params, k, x, dropout, label_inputs, method) for k in lanes])


def forward_lane(
    backbone: Any,
    params: Parameters,
    k: int,
    x: Any,
    dropout: Dropout | None,
    label_inputs: Tensor | None = None,
    method: str = "forward",
) -> Tensor:
    """Logits (B, L) of lane k, of a backbone that takes the parameters of one lane; the other arguments are all lanes'."""
    drop = dropout.of_lane(k) if dropout else Drop()
    out: Tensor = getattr(backbone, method)(_of_lane(backbone, params, k, label_inputs), x[k], drop)
    return out


def forward_in_two(
    backbone: Any, params: Parameters, x: Any, dropout: Dropout, label_inputs: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Representation (K, B, H) and logits (K, B, L); the logits as by `forward`."""
    hidden = forward(backbone, params, x, dropout, label_inputs, "represent")
    if backbone.stacks(params.device):
        return hidden, backbone.classify(_conditioned(backbone, params.stacked, label_inputs), hidden)
    # Some backbones feed label inputs into the last layer.
    lanes = [_of_lane(backbone, params, k, label_inputs) for k in range(len(params))]
    return hidden, torch.stack([backbone.classify(lane, h) for lane, h in zip(lanes, hidden, strict=True)])


def _of_lane(backbone: Any, params: Parameters, k: int, label_inputs: Tensor | None) -> Mapping[str, Tensor]:
    """The parameters of lane k, as `_conditioned` makes them."""
    return _conditioned(backbone, params.lane(k), None if label_inputs is None else label_inputs[k])


def _conditioned(
    backbone: Any, params: Mapping[str, Tensor], label_inputs: Tensor | None
) -> Mapping[str, Tensor]:
    """The parameters with a conditioning bias for each row, (…, B, h): bias + label inputs · weight.

    So a backbone needs no code for label inputs; it only has to accept a bias with a row for each example.
    """
    if label_inputs is None:
        return params
    bias, weight = params[backbone.conditioning_bias], params[LABEL_WEIGHT]
    if label_inputs.dim() == 2:
        return {**params, backbone.conditioning_bias: torch.addmm(bias, label_inputs, weight)}
    broadcast = bias if bias.dim() == 3 else bias[:, None]
    return {**params, backbone.conditioning_bias: affine(label_inputs, weight, broadcast)}


@torch.no_grad()
def predict_blocks(
    backbone: Any,
    params: Parameters,
    bank: Inputs,
    rows: Sequence[np.ndarray],
    label_inputs: Sequence[np.ndarray | None],
    method: str = "forward",
) -> list[np.ndarray]:
    """Logits (v_k, L) float32 of each lane for its own rows (v_k,) of the inputs, and their label inputs (v_k, G).

    With `method="represent"`, representations (v_k, H).
    """
    device = params.device
    bank = fed_to(bank, backbone.stacks(device))
    # Each lane's rows are padded with row 0 to whole blocks; the logits of the padding are dropped at the end.
    longest = -(-max(len(r) for r in rows) // BLOCK) * BLOCK
    padded = np.zeros((len(rows), longest), dtype=np.int64)
    for k, lane_rows in enumerate(rows):
        padded[k, : len(lane_rows)] = lane_rows
    row_blocks = torch.from_numpy(padded).to(device).split(BLOCK, dim=1)
    label_blocks = _padded(label_inputs, longest, device)
    # `label_blocks` is endless where there are no label inputs.
    blocks = [
        forward(backbone, params, bank.gather(r), None, g, method)
        for r, g in zip(row_blocks, label_blocks, strict=False)
    ]
    logits = torch.cat(blocks, 1).cpu().numpy()
    return [logits[k, : len(lane_rows)] for k, lane_rows in enumerate(rows)]


def predict(
    trained: Sequence[Trained],
    inputs: Inputs,
    rows: Sequence[np.ndarray],
    device: torch.device,
    label_inputs: Sequence[np.ndarray | None] | None = None,
    method: str = "forward",
) -> list[np.ndarray]:
    """Logits (v_k, L_k) of each trained lane for its own rows (v_k,) of the inputs, and their label inputs (v_k, G).

    With `method="represent"`, representations (v_k, H).
    """
    out: list[np.ndarray] = [np.empty(0)] * len(trained)
    if trained and not trained[0].backbone.gradient:
        return [
            estimators.predict(t, inputs, rows[i], None if label_inputs is None else label_inputs[i])
            for i, t in enumerate(trained)
        ]
    for members in _same_shape(trained):
        # A batched product of one lane may round differently from that of several, so a single lane is predicted twice.
        padded = members * 2 if len(members) == 1 and trained[members[0]].backbone.stacks(device) else members
        params = Parameters.of([trained[i].params for i in padded], device)
        labels = [None if label_inputs is None else label_inputs[i] for i in padded]
        logits = predict_blocks(
            trained[members[0]].backbone, params, inputs, [rows[i] for i in padded], labels, method
        )
        for i, lane_logits in zip(members, logits, strict=False):
            out[i] = lane_logits
    return out


def _same_shape(trained: Sequence[Trained]) -> list[list[int]]:
    """The positions of networks with equal shapes, in groups of at most `SIDE_BY_SIDE`."""
    groups: dict[object, list[int]] = {}
    for i, t in enumerate(trained):
        shapes = tuple(p.shape for p in t.params.values())
        groups.setdefault((t.backbone.structure, shapes), []).append(i)
    limits = [trained[g[0]].backbone.lanes_at_once or SIDE_BY_SIDE for g in groups.values()]
    return [
        g[start : start + n]
        for g, n in zip(groups.values(), limits, strict=True)
        for start in range(0, len(g), n)
    ]


def _padded(
    label_inputs: Sequence[np.ndarray | None], longest: int, device: torch.device
) -> Sequence[Tensor] | Iterator[None]:
    """The label inputs of all lanes in blocks of rows, (K, BLOCK, G) each; without label inputs, an endless series of None."""
    # Lanes of one signature all have label inputs, or none has.
    labels = [g for g in label_inputs if g is not None]
    if not labels:
        return repeat(None)
    out = torch.zeros(len(labels), longest, labels[0].shape[1])
    for k, lane_labels in enumerate(labels):
        out[k, : len(lane_labels)] = torch.from_numpy(lane_labels)
    return out.to(device).split(BLOCK, dim=1)
