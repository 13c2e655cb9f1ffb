"""One lane, and training it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from equipoise.backbones.linear import Linear
from equipoise.catalog.strategies import get_strategy
from equipoise.engine.lanes import Lane
from equipoise.engine.train import TrainingCost, train
from equipoise.ops.device import repeatable
from equipoise.ops.inputs import Inputs

CPU = torch.device("cpu")


def a_lane(n: int, Y: np.ndarray, strategy: str = "none", **more: Any) -> Lane:
    given: dict[str, Any] = {
        "index": np.arange(n),
        "targets": Y,
        "n_pos": Y.sum(0, dtype=np.int64),
        "n_rows": n,
        "strategy": get_strategy(strategy),
        "backbone": Linear(),
        "lr": 1e-2,
        "l2": 1e-3,
        "role": ("parts",),
        "steps": 3,
    }
    return Lane(**{**given, **more})


def run(lane: Lane, inputs: Inputs) -> Any:
    with repeatable(CPU):
        return train([lane], inputs, batch_size=32, device=CPU, cost=TrainingCost())[0]
