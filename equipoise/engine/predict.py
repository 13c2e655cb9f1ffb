"""Forward passes of a population, and predictions in blocks of a fixed number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.engine import estimators
from equipoise.engine.lanes import Trained
from equipoise.ops.affine import affine
from equipoise.ops.dropout import Drop, Dropout
from equipoise.ops.inputs import Inputs
from equipoise.ops.parameters import Parameters

#: Rows of a block in prediction, and networks side by side.
BLOCK, SIDE_BY_SIDE = 256, 32


def forward(
    backbone: Any, params: Parameters, x: Any, dropout: Dropout | None, given: Tensor | None = None
) -> Tensor:
    """Logits (K, B, L): at once where the backbone takes stacked parameters, lane by lane where it does not.

    `given` (K, B, G) are further inputs. They enter as an affine term on the backbone's entry bias.
    """
    if backbone.stacks(params.device):
        own = _entered(backbone, params.stacked, given)
        out: Tensor = backbone.forward(own, x, dropout.stacked() if dropout else Drop())
        return out
    drops = [dropout.of_lane(k) if dropout else Drop() for k in range(len(params))]
    lanes = [
        _entered(backbone, params.lane(k), None if given is None else given[k]) for k in range(len(params))
    ]
    return torch.stack([backbone.forward(lanes[k], x[k], drop) for k, drop in enumerate(drops)])


def _entered(backbone: Any, params: Mapping[str, Tensor], given: Tensor | None) -> Mapping[str, Tensor]:
    """The parameters, with bias + given·W in the place of the entry bias: one of each row, (…, B, h)."""
    if given is None:
        return params
    bias, weight = params[backbone.conditioning_bias], params["given"]
    if given.dim() == 2:
        return {**params, backbone.conditioning_bias: torch.addmm(bias, given, weight)}
    each = bias if bias.dim() == 3 else bias[:, None]
    return {**params, backbone.conditioning_bias: affine(given, weight, each)}


@torch.no_grad()
def predict_blocks(
    backbone: Any,
    params: Parameters,
    bank: Inputs,
    rows: Sequence[np.ndarray],
    given: Sequence[np.ndarray | None],
) -> list[np.ndarray]:
    """Logits of each lane for its own rows of the bank and their further inputs: a list of (v_k, L) float32."""
    device = params.device
    longest = -(-max(len(r) for r in rows) // BLOCK) * BLOCK
    padded = np.zeros((len(rows), longest), dtype=np.int64)
    for k, own in enumerate(rows):
        padded[k, : len(own)] = own
    places = torch.from_numpy(padded).to(device)
    further = _padded(given, longest, device)
    blocks = [
        forward(backbone, params, bank.gather(b), None, g)
        for b, g in zip(places.split(BLOCK, dim=1), further, strict=False)
    ]
    logits = torch.cat(blocks, 1).cpu().numpy()
    return [logits[k, : len(own)] for k, own in enumerate(rows)]


def predict(
    trained: Sequence[Trained],
    inputs: Inputs,
    rows: Sequence[np.ndarray],
    device: torch.device,
    given: Sequence[np.ndarray | None] | None = None,
) -> list[np.ndarray]:
    """Logits (v_k, L_k) of each trained lane for its own rows of the inputs, and their further inputs (v_k, G)."""
    out: list[np.ndarray] = [np.empty(0)] * len(trained)
    if trained and not trained[0].backbone.gradient:
        return [
            estimators.predict(t, inputs, rows[i], None if given is None else given[i])
            for i, t in enumerate(trained)
        ]
    for members in _alike(trained):
        padded = members * 2 if len(members) == 1 and trained[members[0]].backbone.stacks(device) else members
        params = Parameters.of([trained[i].params for i in padded], device)
        further = [None if given is None else given[i] for i in padded]
        logits = predict_blocks(
            trained[members[0]].backbone, params, inputs, [rows[i] for i in padded], further
        )
        for i, own in zip(members, logits, strict=False):
            out[i] = own
    return out


def _alike(trained: Sequence[Trained]) -> list[list[int]]:
    """Places of networks of the same shape, in populations of a bounded width."""
    groups: dict[object, list[int]] = {}
    for i, t in enumerate(trained):
        shapes = tuple(p.shape for p in t.params.values())
        groups.setdefault((t.backbone.structure, shapes), []).append(i)
    limits = [trained[g[0]].backbone.lanes_at_once or SIDE_BY_SIDE for g in groups.values()]
    return [
        g[at : at + n] for g, n in zip(groups.values(), limits, strict=True) for at in range(0, len(g), n)
    ]


def _padded(
    given: Sequence[np.ndarray | None], longest: int, device: torch.device
) -> Sequence[Tensor] | Iterator[None]:
    """Further inputs of all lanes in blocks of rows, (K, BLOCK, G) each; None for ever where there are none."""
    there = [g for g in given if g is not None]
    if not there:
        return repeat(None)
    out = torch.zeros(len(there), longest, there[0].shape[1])
    for k, own in enumerate(there):
        out[k, : len(own)] = torch.from_numpy(own)
    return out.to(device).split(BLOCK, dim=1)
