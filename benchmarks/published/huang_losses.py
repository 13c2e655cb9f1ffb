"""The losses that Huang et al. 2021 compare on Reuters, with models that two cores can train in place of BERT.

Twice: *as published*, by the authors' protocol (github.com/Roche/BalancedLossNLP, Reuters/train.py and eval.py): published
hyperparameters, one learning rate for all losses, outputs that start at 0, the epoch with the best micro-F1 on the development
stories, one threshold of .40 to .60; and by this product: starts of the loss's own, the same search for all, more decisions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import huang
import numpy as np
import product
import torch
from number_rows import ROWS, Row, key_of, measured
from numpy.typing import ArrayLike
from sklearn.feature_extraction.text import TfidfVectorizer

import equipoise
from equipoise.contracts.dataset import DEV, TEST, TRAIN
from equipoise.metrics import micro_f1
from equipoise.thresholds import scut_smoothed

PART = "huang-losses"
#: The paper's names, and the strategies. "CB" is class-balanced focal loss in the paper's program, as it is here.
LOSSES = {
    "BCE": "none",
    "FL": "focal",
    "CB": "class_balanced",
    "R-FL": "rebalanced_focal",
    "NTR-FL": "ntr_focal",
    "CB-NTR": "cb_ntr",
    "DB": "distribution_balanced",
}
#: Learning rates of the published protocol; BERT's 1e-4 says nothing of a linear layer. All losses, then BCE and DB alone.
LR, OTHER_LR = 0.01, 0.1
LIBRARIES = ("torch", "scikit-learn", "numpy")
SEARCHED = ("linear", "mlp")
#: Less than the defaults, to be affordable on two cores, and the same for all losses.
BUDGET = (("trials", 8), ("folds", 2), ("epochs", 20))
RESAMPLES = 1000
#: What the intervals of a row depend on.
INTERVAL = ("Bayesian bootstrap", RESAMPLES)


class Protocol(NamedTuple):
    """The published protocol: BERT's 40 epochs in batches of 32, of which the last that is hardly worse than the best is kept.

    Attributes:
        slack: an epoch is an improvement if its micro-F1 exceeds the last improvement's times this. patience: the training ends
            after so many epochs without one.
    """

    lr: float
    epochs: int = 40
    batch: int = 32
    slack: float = 0.995
    patience: int = 5
    words: int = 5000


class Texts(NamedTuple):
    """TF-IDF of the training, development and test stories, CSR, as the backbone `linear` computes it."""

    train: Any
    dev: Any
    test: Any


@lru_cache(maxsize=1)
def texts(words: int) -> Texts:
    """The features, fitted on the 6769 training stories."""
    data = huang.reuters()
    tfidf = TfidfVectorizer(max_features=words, min_df=2, sublinear_tf=True, dtype=np.float32)
    train = tfidf.fit_transform(data.X[data.official == TRAIN])
    return Texts(train, *(tfidf.transform(data.X[data.official == part]) for part in (DEV, TEST)))


def trained(loss: str, protocol: Protocol) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Decisions on the test stories by a linear layer, and how it went: the epoch that was kept, how many ran, the threshold."""
    data, x = huang.reuters(), texts(protocol.words)
    Y, Y_dev = data.Y[data.official == TRAIN], data.Y[data.official == DEV]
    epochs = layers(x.train, Y, loss, protocol)
    best, kept, since = 0.0, None, 0
    for epoch, (weight, bias) in enumerate(epochs, start=1):
        dev = x.dev @ weight + bias
        cut = huang.best_threshold(Y_dev, product.probability(dev), huang.PROBABILITIES)
        quality = micro_f1(Y_dev, product.probability(dev) > cut)
        if quality > best * protocol.slack:
            best, kept, since = quality, (epoch, cut, dev, x.test @ weight + bias), 0
        elif (since := since + 1) == protocol.patience:
            break
    assert kept is not None
    chosen, cut, dev, test = kept
    per_label = scut_smoothed(dev, Y_dev, np.arange(len(dev)) % 3)
    made = {"half": test > 0, "one": product.probability(test) > cut, "per label": test > per_label}
    return made, {"epoch": chosen, "epochs": epoch, "thresholds": {"one": cut}}


def layers(X: Any, Y: ArrayLike, loss: str, protocol: Protocol) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weights (words, L) and biases (L,) of a linear layer after each epoch of Adam, from 0; all losses see the same batches."""
    targets = torch.from_numpy(np.asarray(Y, dtype=np.float32))
    cost = equipoise.loss_of(loss, n_pos=np.asarray(Y).sum(0), n_rows=len(targets))
    weight = torch.zeros(X.shape[1], targets.shape[1], requires_grad=True)
    bias = torch.zeros(targets.shape[1], requires_grad=True)
    adam, rng = torch.optim.Adam([weight, bias], lr=protocol.lr), np.random.default_rng(0)
    for _ in range(protocol.epochs):
        for rows in np.array_split(rng.permutation(len(targets)), -(-len(targets) // protocol.batch)):
            adam.zero_grad()
            cost(torch.from_numpy(X[rows].toarray()) @ weight + bias, targets[rows]).mean().backward()
            adam.step()
        yield weight.detach().numpy().copy(), bias.detach().numpy().copy()


def published_decisions(loss: str, protocol: Protocol) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """`trained`, kept on disk, because every loss is compared with the decisions of BCE."""
    file = product.STORE / f"{key_of(loss, protocol, huang.reuters().sha256)}.npz"
    if not file.exists():
        made, went = trained(loss, protocol)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, went=np.array(json.dumps(went)), **made)
    with np.load(file) as arrays:
        made = {name: arrays[name] for name in arrays.files if name != "went"}
        return made, json.loads(str(arrays["went"]))


def differences(
    true: np.ndarray, ours: np.ndarray, base: np.ndarray, masks: dict[str, huang.Bools], seed: int = 0
) -> dict[str, dict[str, list[float]]]:
    """F1 × 100 of `ours` minus that of `base`, per group, micro and macro: the value and the bounds of its 95 % interval.

    The interval is that of the Bayesian bootstrap (Rubin 1981, DOI 10.1214/aos/1176345338): rows get random weights, the same
    for both. Redrawing whole rows would often leave a rare label without a positive row, and macro-F1 without that label. It
    covers what other test rows would change, not what another training would.
    """
    n = len(true)
    weights = np.vstack([np.ones(n), n * np.random.default_rng(seed).dirichlet(np.ones(n), size=RESAMPLES)])
    out: dict[str, dict[str, list[float]]] = {group: {} for group in masks}
    pairs = zip(_f1s(true, ours, weights, masks), _f1s(true, base, weights, masks), strict=True)
    for (group, average, a), (_, _, b) in pairs:
        low, high = np.percentile((a - b)[1:], (2.5, 97.5))
        out[group][average] = [round(float(v), 2) for v in ((a - b)[0], low, high)]
    return out


def _f1s(
    true: np.ndarray, predicted: np.ndarray, weights: np.ndarray, masks: dict[str, huang.Bools]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Group, average and F1 × 100 under each of the weights of rows (draws, n): (draws,)."""
    y, p = (np.asarray(cells > 0, dtype=np.float64) for cells in (true, predicted))
    scored, hits, sizes = y.any(0), weights @ (y * p), weights @ y + weights @ p
    for group, mask in masks.items():
        yield group, "micro", 200 * hits[:, mask].sum(1) / np.maximum(sizes[:, mask].sum(1), 1e-12)
        labels = mask & scored
        yield group, "macro", 200 * (hits[:, labels] / sizes[:, labels]).mean(1)


def published_row(name: str, loss: str, protocol: Protocol) -> Row:
    """What a row of the published protocol holds."""
    data = huang.reuters()
    true, masks = data.Y[data.official == TEST], huang.groups(data)
    made, went = published_decisions(loss, protocol)
    base, _ = published_decisions("none", protocol)
    setting = f"as published, lr {protocol.lr}"
    return {**went, "loss": name, "setting": setting, **_scores(true, made, base, masks)}


def _scores(true: np.ndarray, made: dict[str, np.ndarray], base: dict[str, np.ndarray], masks: Any) -> Row:
    return {
        "scores": {rule: huang.scored(true, decided, masks) for rule, decided in made.items()},
        "minus BCE": {rule: differences(true, decided, base[rule], masks) for rule, decided in made.items()},
    }


@lru_cache(maxsize=len(SEARCHED))
def searched(backbone: str) -> dict[str, product.Result]:
    """Strategy → result of all losses; one sweep, since cells of one data set share their features and their batches."""
    strategies = tuple(LOSSES.values())
    return product.run(product.Cells(huang.DATASET, backbone, strategies, BUDGET), huang.reuters())


def searched_row(name: str, backbone: str) -> Row:
    """What a row of this product holds."""
    masks, found = huang.groups(huang.reuters()), searched(backbone)
    result, base = found[LOSSES[name]], found["none"]
    made, theirs = product.decisions(result.arrays)[0], product.decisions(base.arrays)[0]
    return {
        **product.row(result, masks),
        "loss": name,
        "setting": backbone,
        **_scores(result.arrays["test_Y"], made, theirs, masks),
    }


def rows(path: Path = ROWS) -> Iterator[Row]:
    """A row for each setting and loss; those in the file that still hold are not measured again."""
    yield from _published_rows(LR, tuple(LOSSES), path)
    yield from _searched_rows(SEARCHED[0], path)
    yield from _published_rows(OTHER_LR, ("BCE", "DB"), path)
    for backbone in SEARCHED[1:]:
        yield from _searched_rows(backbone, path)


def _published_rows(lr: float, names: Sequence[str], path: Path) -> Iterator[Row]:
    sha, protocol = huang.reuters().sha256, Protocol(lr)
    for name in names:
        loss = LOSSES[name]
        measure = partial(published_row, name, loss, protocol)
        yield measured(
            PART, f"as published, lr {lr}: {name}", (sha, loss, protocol, INTERVAL), LIBRARIES, measure, path
        )


def _searched_rows(backbone: str, path: Path) -> Iterator[Row]:
    sha = huang.reuters().sha256
    for name, strategy in LOSSES.items():
        measure = partial(searched_row, name, backbone)
        settings = (sha, backbone, strategy, BUDGET, INTERVAL)
        yield measured(PART, f"{backbone}: {name}", settings, product.LIBRARIES, measure, path)


if __name__ == "__main__":
    for row in rows():
        print(row["name"], row["scores"]["one"], flush=True)
