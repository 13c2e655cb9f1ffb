"""The sweep of `bench_sweep.py` written by hand with skorch, Optuna and MLflow, without equipoise.

    python by_hand.py '{"data": "yeast.npz", "out": "folder", "strategies": ["none", "focal"], "trials": 16, …}'

This is what a careful user would write: one study a strategy (TPE, defaults first); each trial is cross-validated with Adam on
a cosine schedule, scored by macro-F1 out of fold at thresholds per label that were tuned on the other folds, and logged as an
MLflow run; then the best setting is refitted and scored on the test rows. The scores are printed as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import optuna
import torch
import torch.nn.functional as F
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from sklearn.metrics import average_precision_score, f1_score
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from skorch.callbacks import LRScheduler
from torch import Tensor, nn
from torch.utils.data import WeightedRandomSampler

Params = dict[str, Any]
#: Activity → seconds.
SPENT: defaultdict[str, float] = defaultdict(float)


@contextmanager
def clock(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    SPENT[what] += time.perf_counter() - began


# --- the six strategies

#: The hyperparameters of all strategies, and of each: (default, low, high). Those in LOG are searched on a logarithmic scale.
SHARED = {"lr": (2e-2, 3e-3, 1e-1), "C": (10.0, 0.1, 1000.0), "dropout": (0.2, 0.0, 0.5)}
LOG = ("lr", "C")
SPACE: dict[str, dict[str, tuple[float, float, float]]] = {
    "none": {},
    "pos_weight": {"power": (1.0, 0.0, 1.5)},
    "focal": {"gamma": (2.0, 0.0, 5.0), "alpha": (0.5, 0.05, 0.95)},
    "asl": {"gamma_neg": (4.0, 0.0, 8.0), "gamma_pos": (1.0, 0.0, 4.0), "margin": (0.05, 0.0, 0.3)},
    "ml_ros": {"p": (0.25, 0.0, 1.0)},
    "balanced_sampling": {"mix": (1.0, 0.0, 1.0)},
}


class Loss(nn.Module):
    """The loss of a strategy: binary cross-entropy, weighted or focused."""

    def __init__(self, strategy: str, params: Params, Y: np.ndarray) -> None:
        super().__init__()
        self.strategy, self.params, n = strategy, params, torch.from_numpy(Y.sum(0)).clamp(min=1)
        self.weight = ((len(Y) - n) / n) ** params.get("power", 0.0)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        p, bce = self.params, F.binary_cross_entropy_with_logits
        if self.strategy == "pos_weight":
            return bce(z, y, pos_weight=self.weight)
        if self.strategy == "focal":
            focus = (p["gamma"] * F.logsigmoid(z * (1 - 2 * y))).exp()
            return (
                (p["alpha"] * y + (1 - p["alpha"]) * (1 - y)) * focus * bce(z, y, reduction="none")
            ).mean()
        if self.strategy == "asl":
            shifted = (z.sigmoid() - p["margin"]).clamp(min=1e-8)
            positive = y * torch.sigmoid(-z) ** p["gamma_pos"] * F.logsigmoid(z)
            negative = (1 - y) * shifted ** p["gamma_neg"] * torch.log1p(-shifted)
            return -(positive + negative).mean()
        return bce(z, y)


def ml_ros(Y: np.ndarray, p: float) -> np.ndarray:
    """Row numbers: all rows, then clones of rows with labels rarer than the mean, in turn, until p · rows are added."""
    rng, counts = np.random.default_rng(0), Y.sum(0).astype(int)
    ratio = counts.max() / np.maximum(counts, 1)
    mean, more = ratio[counts > 0].mean(), list[int]()
    bags = {j: np.flatnonzero(Y[:, j]) for j in np.flatnonzero((ratio > mean) & (counts > 0))}
    while bags and len(more) < int(p * len(Y)):
        for j in list(bags):
            more.append(rng.choice(bags[j]))
            counts += Y[more[-1]].astype(int)
            if counts.max() / counts[j] <= mean:
                del bags[j]
    return np.concatenate([np.arange(len(Y)), np.array(more[: int(p * len(Y))], dtype=int)])


def drawing(Y: np.ndarray, mix: float) -> np.ndarray:
    """Sampling weights of rows: a share `mix` draws a label and then one of its rows, the rest draws rows uniformly."""
    return mix * (Y / np.maximum(Y.sum(0), 1)).mean(1) + (1 - mix) / len(Y)


# --- one training


def map_score(net: NeuralNet, X: np.ndarray, Y: np.ndarray) -> float:
    with clock("average precision"):
        return float(average_precision_score(Y, net.forward(X).numpy(), average="macro"))


def fit(strategy: str, p: Params, X: np.ndarray, Y: np.ndarray, epochs: int) -> NeuralNet:
    """Train one network."""
    torch.manual_seed(0)
    options: Params = {"iterator_train__shuffle": True, "train_split": None}
    if strategy == "balanced_sampling":
        sampler = WeightedRandomSampler(drawing(Y, p["mix"]).tolist(), len(Y))
        options = {"iterator_train__sampler": sampler, "train_split": None}
    index = ml_ros(Y, p["p"]) if strategy == "ml_ros" else np.arange(len(Y))
    pace = LRScheduler("CosineAnnealingLR", T_max=epochs)
    layers = nn.Linear(X.shape[1], 64), nn.ReLU(), nn.Dropout(p["dropout"]), nn.Linear(64, Y.shape[1])
    net = NeuralNet(
        nn.Sequential(*layers),
        Loss(strategy, p, Y),
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=1 / (p["C"] * Y.size),
        callbacks=[("pace", pace)],
        lr=p["lr"],
        batch_size=64,
        max_epochs=epochs,
        verbose=0,
        **options,
    )
    with clock("fitting"):
        return net.fit(X[index], Y[index])


# --- thresholds


def best_thresholds(z: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """For each label the threshold with its highest F1."""
    order = np.argsort(-z, axis=0)
    hits = np.cumsum(np.take_along_axis(Y, order, 0), axis=0)
    f1 = 2 * hits / (np.arange(1, len(z) + 1)[:, None] + Y.sum(0))
    return np.take_along_axis(np.take_along_axis(z, order, 0), f1.argmax(0)[None], 0)[0]


def cross_fitted_f1(z: np.ndarray, Y: np.ndarray, folds: np.ndarray) -> float:
    decided = np.zeros(Y.shape, dtype=bool)
    for fold in np.unique(folds):
        held_out = folds == fold
        decided[held_out] = z[held_out] >= best_thresholds(z[~held_out], Y[~held_out])
    return float(f1_score(Y, decided, average="macro", zero_division=0))


# --- the search


@dataclass
class Search:
    """One strategy on the training rows, with the inner folds that all strategies share."""

    strategy: str
    X: np.ndarray
    Y: np.ndarray
    folds: np.ndarray
    epochs: int
    #: Trial → its out-of-fold logits.
    logits: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def space(self) -> dict[str, tuple[float, float, float]]:
        return SHARED | SPACE[self.strategy]

    def __call__(self, trial: optuna.Trial) -> float:
        params = {n: trial.suggest_float(n, *ends, log=n in LOG) for n, (_, *ends) in self.space.items()}
        out, ranked = np.zeros(self.Y.shape, dtype=np.float32), list[float]()
        for fold in np.unique(self.folds):
            held_out = self.folds == fold
            net = fit(self.strategy, params, self.X[~held_out], self.Y[~held_out], self.epochs)
            out[held_out] = net.forward(self.X[held_out]).numpy()
            ranked.append(map_score(net, self.X[held_out], self.Y[held_out]))
        with clock("thresholds"):
            value = cross_fitted_f1(out, self.Y, self.folds)
        with clock("MLflow"), mlflow.start_run(run_name=f"{self.strategy} {trial.number}"):
            mlflow.log_params(params)
            mlflow.log_metrics({"macro_f1": value, "map": float(np.mean(ranked))})
        self.logits[trial.number] = out
        return value

    def run(self, trials: int, X_test: np.ndarray, Y_test: np.ndarray) -> dict[str, float]:
        """Search, refit the best setting, and score it on the test rows."""
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        study.enqueue_trial({name: default for name, (default, _, _) in self.space.items()})
        study.optimize(self, n_trials=trials)
        best = study.best_trial
        out = self.logits[best.number]
        net = fit(self.strategy, best.params, self.X, self.Y, self.epochs)
        z = net.forward(X_test).numpy()
        decided = {"test_tuned": z >= best_thresholds(out, self.Y), "test_fixed": z > 0}
        scores = {
            name: float(f1_score(Y_test, decision, average="macro")) for name, decision in decided.items()
        }
        scores |= {"objective": study.best_value}
        with clock("MLflow"), mlflow.start_run(run_name=f"{self.strategy} best"):
            mlflow.log_params(best.params)
            mlflow.log_metrics(scores)
        return scores


def sweep(task: dict[str, Any]) -> dict[str, Any]:
    """Run all strategies, one after the other."""
    torch.set_num_threads(1)
    with clock("MLflow"):
        mlflow.set_tracking_uri(f"sqlite:///{Path(task['out']) / 'mlflow.db'}")
        mlflow.set_experiment("by hand")
    data = np.load(task["data"])
    scaler = StandardScaler().fit(data["X"])
    X, X_test = (scaler.transform(data[n]).astype(np.float32) for n in ("X", "X_test"))
    Y, Y_test = (data[n].astype(np.float32) for n in ("Y", "Y_test"))
    folds = np.zeros(len(Y), dtype=int)
    parts = MultilabelStratifiedKFold(task["folds"], shuffle=True, random_state=0)
    for fold, (_, held) in enumerate(parts.split(X, Y)):
        folds[held] = fold
    each = {s: Search(s, X, Y, folds, task["epochs"]) for s in task["strategies"]}
    scores = {name: search.run(task["trials"], X_test, Y_test) for name, search in each.items()}
    return {"scores": scores, "seconds": dict(SPENT)}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for _name in ("mlflow", "alembic"):
        logging.getLogger(_name).setLevel(logging.ERROR)
    print(json.dumps(sweep(json.loads(sys.argv[1]))))
