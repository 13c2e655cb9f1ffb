"""Trainings as one writes them without equipoise: a loop over tensors in memory, a `DataLoader`, skorch.

Each function trains `models` networks, one after the other: the twins in `torch.nn` that backbones declare, Adam with an L2
penalty, a learning rate that rises and then falls on a cosine, output biases at the log-odds, and shuffled epochs. `x` is a
tensor of numbers, a tensor of token ids padded with 0, or a CSR matrix.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from equipoise.catalog.backbones import get_backbone
from equipoise.core.errors import EquipoiseError

BATCH = 64
PENALTY = 1e-5

Make = Callable[[], nn.Module]


def learning_rate(k: int) -> float:
    """The learning rate of training k, for every contestant."""
    return 1e-3 * (1 + k % 5)


def maker(backbone: str, width: int, labels: int) -> Make:
    """What makes new networks: the twin that a backbone declares.

    Raises:
        EquipoiseError: it declares none.
    """
    if why := missing_twin(backbone):
        raise EquipoiseError(why)
    # `plain` may return None for settings without a twin, which was just ruled out.
    return cast(Make, partial(get_backbone(backbone).plain, width, labels))


def missing_twin(backbone: str) -> str:
    """Why a backbone takes no part in the comparison, in words; "" if it declares a twin."""
    # Only whether there is one counts, so any size will do.
    with torch.random.fork_rng(devices=[]):
        twin = get_backbone(backbone).plain(2, 1)
    return "" if twin is not None else f"{backbone} declares no twin in plain PyTorch"


def loop(
    make: Make, x: Any, y: Tensor, epochs: int, models: int, fused: bool | None = None
) -> list[nn.Module]:
    """A loop over tensors that stay on the device; each batch of a CSR matrix is made dense."""
    sparse = not isinstance(x, Tensor)

    def fetch(rows: Tensor) -> Tensor:
        return torch.from_numpy(x[rows.numpy()].toarray()).to(y.device) if sparse else x[rows.to(y.device)]

    def batches() -> Any:
        for rows in torch.randperm(y.shape[0]).split(BATCH):
            yield fetch(rows), y[rows.to(y.device)]

    start, steps = partial(_with_log_odds, make, y), epochs * -(-y.shape[0] // BATCH)
    return [_trained(start, k, y.device, batches, epochs, steps, fused) for k in range(models)]


def loader(make: Make, x: Tensor, y: Tensor, epochs: int, models: int) -> list[nn.Module]:
    """`DataLoader(TensorDataset(x, y), shuffle=True)` on the CPU, each batch sent to the device; x is dense."""
    batches = DataLoader(TensorDataset(x.cpu(), y.cpu()), batch_size=BATCH, shuffle=True)
    start = partial(_with_log_odds, make, y)
    return [
        _trained(start, k, y.device, lambda: batches, epochs, epochs * len(batches)) for k in range(models)
    ]


def _with_log_odds(make: Make, y: Tensor) -> nn.Module:
    """A new network whose output biases are the log-odds of the labels."""
    model, share = make(), y.mean(0).clamp(0.5 / y.shape[0], 1 - 0.5 / y.shape[0])
    with torch.no_grad():
        list(model.parameters())[-1].copy_(torch.logit(share))
    return model


def _rate(steps: int, done: int) -> float:
    """The share of the peak learning rate: rising for a twentieth of the steps, then falling on a cosine."""
    return min((done + 1) / max(1.0, 0.05 * steps), 0.5 + 0.5 * math.cos(math.pi * done / steps))


def _trained(
    make: Make,
    k: int,
    device: torch.device,
    batches: Callable[[], Any],
    epochs: int,
    steps: int,
    fused: bool | None = None,
) -> nn.Module:
    torch.manual_seed(k)
    model, lr = make().to(device), learning_rate(k)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=PENALTY, fused=fused)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, steps))
    criterion = nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for x, y in batches():
            optimizer.zero_grad()
            criterion(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
            schedule.step()
    return model


def with_skorch(make: Make, x: Tensor, y: Tensor, epochs: int, models: int) -> list[nn.Module]:
    """`skorch.NeuralNet` with its usual callbacks, silent, without a validation part; x is dense."""
    from skorch import NeuralNet
    from skorch.callbacks import LRScheduler

    trained, steps = [], epochs * -(-y.shape[0] // BATCH)
    pace = LRScheduler("LambdaLR", lr_lambda=partial(_rate, steps), step_every="batch")
    for k in range(models):
        torch.manual_seed(k)
        net = NeuralNet(
            partial(_with_log_odds, make, y.cpu()),
            criterion=nn.BCEWithLogitsLoss,
            optimizer=torch.optim.Adam,
            optimizer__weight_decay=PENALTY,
            callbacks=[("pace", pace)],
            lr=learning_rate(k),
            batch_size=BATCH,
            max_epochs=epochs,
            iterator_train__shuffle=True,
            train_split=None,
            device=y.device,
            verbose=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained.append(net.fit(x.cpu(), y.cpu()).module_)
    return trained


@torch.no_grad()
def logits(model: nn.Module, x: Tensor) -> np.ndarray:
    """The logits of a network for rows x, without dropout."""
    out: np.ndarray = model.eval()(x).cpu().numpy()
    return out
