"""Networks on words as a careful user of PyTorch writes them, without equipoise: a BiLSTM and a convolutional network.

A quarter of the training rows is held out. The epoch with the best average precision there is kept: its logits fit the
thresholds, and a second network is trained on all rows for as many epochs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from reference_models import Predictions, Problem
from torch import Tensor, nn

from equipoise.experiment.decision import decision_folds
from equipoise.metrics import mean_average_precision
from equipoise.splits.outer import stratified_folds

PADDING, UNKNOWN = 0, 1


@dataclass(frozen=True)
class Network:
    """What both networks share: how texts become numbers of words, and how they are trained."""

    kinds: ClassVar[tuple[str, ...]] = ("text",)
    libraries: ClassVar[tuple[str, ...]] = ("torch", "numpy")

    words: int = 100
    vocabulary: int = 5000
    embedding: int = 64
    dropout: float = 0.3
    lr: float = 3e-3
    epochs: int = 40
    batch_size: int = 32
    revision: int = 1

    def module(self, labels: int) -> nn.Module:
        raise NotImplementedError

    def predict(self, problem: Problem) -> Predictions:
        ids, test_ids = numbered(problem.X, problem.X_test, self.vocabulary, self.words)
        Y = torch.from_numpy(problem.Y.astype(np.float32))
        held = stratified_folds(problem.Y, 4, problem.seed) == 0
        kept, rest = torch.from_numpy(held), torch.from_numpy(~held)
        seen = [self._logits(m, ids[kept]) for m in self._path(ids[rest], Y[rest], self.epochs, problem.seed)]
        scores = [mean_average_precision(problem.Y[held], z) for z in seen]
        best = int(np.nanargmax(scores))
        *_, model = self._path(ids, Y, best + 1, problem.seed)
        rows = np.flatnonzero(held)
        folds = decision_folds(np.zeros(len(rows), dtype=np.int64), problem.Y[rows], problem.seed)
        return Predictions(seen[best], rows, folds, self._logits(model, test_ids), {"epochs": best + 1})

    def _path(self, ids: Tensor, Y: Tensor, epochs: int, seed: int) -> Iterator[nn.Module]:
        """One training, the network after each epoch; the process-wide generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % 2**63)
            model = self.module(Y.shape[1])
            optimizer = torch.optim.Adam(model.parameters(), lr=self.lr)
            state = torch.get_rng_state()
        for _ in range(epochs):
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(state)
                model.train()
                for batch in torch.randperm(len(Y)).split(self.batch_size):
                    optimizer.zero_grad()
                    F.binary_cross_entropy_with_logits(model(ids[batch]), Y[batch]).backward()
                    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                state = torch.get_rng_state()
            yield model.eval()

    @staticmethod
    @torch.no_grad()
    def _logits(model: nn.Module, ids: Tensor) -> np.ndarray:
        return torch.cat([model(part) for part in ids.split(256)]).double().numpy()


@dataclass(frozen=True)
class BiLSTM(Network):
    """Embeddings, an LSTM in both directions (Hochreiter & Schmidhuber 1997), the maximum over the words, a linear layer."""

    name: ClassVar[str] = "BiLSTM"

    hidden: int = 64

    def module(self, labels: int) -> nn.Module:
        return _BiLSTM(self, labels)


@dataclass(frozen=True)
class TextCNN(Network):
    """Convolutions over 3, 4 and 5 words, the maximum of each filter, a linear layer (Kim 2014, DOI 10.3115/v1/D14-1181)."""

    name: ClassVar[str] = "TextCNN"

    filters: int = 64
    spans: tuple[int, ...] = (3, 4, 5)
    dropout: float = 0.5
    lr: float = 1e-3

    def module(self, labels: int) -> nn.Module:
        return _TextCNN(self, labels)


class _BiLSTM(nn.Module):
    def __init__(self, of: BiLSTM, labels: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(of.vocabulary + 2, of.embedding, padding_idx=PADDING)
        self.lstm = nn.LSTM(of.embedding, of.hidden, batch_first=True, bidirectional=True)
        self.drop, self.out = nn.Dropout(of.dropout), nn.Linear(2 * of.hidden, labels)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = (ids != PADDING).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.drop(self.embed(ids)), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, padding_value=-2.0
        )
        logits: Tensor = self.out(self.drop(states.amax(1)))  # states lie within −1..1: padding never wins
        return logits


class _TextCNN(nn.Module):
    def __init__(self, of: TextCNN, labels: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(of.vocabulary + 2, of.embedding, padding_idx=PADDING)
        self.spans = nn.ModuleList(nn.Conv1d(of.embedding, of.filters, s, padding=s - 1) for s in of.spans)
        self.drop, self.out = nn.Dropout(of.dropout), nn.Linear(len(of.spans) * of.filters, labels)

    def forward(self, ids: Tensor) -> Tensor:
        longest = int((ids != PADDING).sum(1).max())
        x = self.embed(ids[:, :longest]).transpose(1, 2)
        found = torch.cat([F.relu(span(x)).amax(2) for span in self.spans], 1)
        logits: Tensor = self.out(self.drop(found))
        return logits


def numbered(texts: Any, others: Any, vocabulary: int, words: int) -> tuple[Tensor, Tensor]:
    """The first words of each text as numbers, (n, words), padded; the vocabulary is that of `texts` alone."""
    counts = Counter(word for text in texts for word in _split(text))
    common = sorted((w for w, c in counts.items() if c > 1), key=lambda w: (-counts[w], w))[:vocabulary]
    number = {word: i for i, word in enumerate(common, start=UNKNOWN + 1)}

    def ids(text: str) -> list[int]:
        known = [number.get(word, UNKNOWN) for word in _split(text)[:words]] or [UNKNOWN]
        return known + [PADDING] * (words - len(known))

    first, second = (torch.tensor([ids(t) for t in group], dtype=torch.int64) for group in (texts, others))
    return first, second


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
