"""The trainings as people write them without equipoise: a loop over resident tensors, a `DataLoader`, skorch.

Each function trains `models` networks, one after the other: `torch.nn` modules with the shapes of the backbones, AdamW,
shuffled passes. `x` is what a user holds: a tensor of numbers or of token ids padded with 0, or a CSR matrix.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BATCH = 64
HIDDEN, STATES, EMBEDDING, DROPOUT, WEIGHT_DECAY = 64, 32, 32, 0.2, 1e-2

Make = Callable[[], nn.Module]


def learning_rate(k: int) -> float:
    """Of training k, whoever runs it."""
    return 1e-3 * (1 + k % 5)


def module(backbone: str, width: int, labels: int) -> nn.Module:
    """A new network of the backbone's shapes."""
    if backbone == "linear":
        return nn.Linear(width, labels)
    if backbone == "lstm":
        return Recurrent(width, labels)
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, labels))


class Recurrent(nn.Module):
    """Embeddings, an LSTM, the maximum over the words that are there, a linear layer."""

    def __init__(self, words: int, labels: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, EMBEDDING, padding_idx=0)
        self.lstm = nn.LSTM(EMBEDDING, STATES, batch_first=True)
        self.drop = nn.Dropout(DROPOUT)
        self.out = nn.Linear(STATES, labels)

    def forward(self, ids: Tensor) -> Tensor:
        there = ids > 0
        longest = int(there.sum(1).max())
        states, _ = self.lstm(self.drop(self.words(ids[:, :longest])))
        best = states.masked_fill(~there[:, :longest, None], -2.0).amax(1)
        logits: Tensor = self.out(self.drop(best))
        return logits


def loop(
    make: Make, x: Any, y: Tensor, epochs: int, models: int, fused: bool | None = None
) -> list[nn.Module]:
    """Tensors that stay on the device; of a CSR matrix each batch is made dense."""
    sparse = not isinstance(x, Tensor)

    def fetch(rows: Tensor) -> Tensor:
        return torch.from_numpy(x[rows.numpy()].toarray()).to(y.device) if sparse else x[rows.to(y.device)]

    def batches() -> Any:
        for rows in torch.randperm(y.shape[0]).split(BATCH):
            yield fetch(rows), y[rows.to(y.device)]

    return [_trained(make, k, y.device, batches, epochs, fused) for k in range(models)]


def loader(make: Make, x: Tensor, y: Tensor, epochs: int, models: int) -> list[nn.Module]:
    """`DataLoader(TensorDataset(x, y), shuffle=True)` on the CPU, each batch sent to the device; x is dense."""
    batches = DataLoader(TensorDataset(x.cpu(), y.cpu()), batch_size=BATCH, shuffle=True)
    return [_trained(make, k, y.device, lambda: batches, epochs) for k in range(models)]


def _trained(
    make: Make,
    k: int,
    device: torch.device,
    batches: Callable[[], Any],
    epochs: int,
    fused: bool | None = None,
) -> nn.Module:
    torch.manual_seed(k)
    model, lr = make().to(device), learning_rate(k)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=WEIGHT_DECAY, fused=fused)
    criterion = nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for x, y in batches():
            optimizer.zero_grad()
            criterion(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
    return model


def with_skorch(make: Make, x: Tensor, y: Tensor, epochs: int, models: int) -> list[nn.Module]:
    """`skorch.NeuralNet` with its usual callbacks, silent, without a validation part; x is dense."""
    from skorch import NeuralNet

    trained = []
    for k in range(models):
        torch.manual_seed(k)
        net = NeuralNet(
            make,
            criterion=nn.BCEWithLogitsLoss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=WEIGHT_DECAY,
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
    """What a network says of rows, without dropout."""
    out: np.ndarray = model.eval()(x).cpu().numpy()
    return out
