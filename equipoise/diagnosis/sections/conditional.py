"""Tests whether the other labels add information once the input is known: linear classifiers with and without them.

1. Cross-validate a logistic model of the input for every label. This gives out-of-fold log-odds z (n, L).
2. For every label, cross-validate three small logistic models over the same folds: one of its own z alone; one of z and the
   *true* other labels (the most that could be gained: conditional dependence); and one of z and the *out-of-fold* z of the
   other labels (what a classifier that also predicts them could use: stacking, Godbole & Sarawagi 2004, DOI
   10.1007/978-3-540-24775-3_5). The first model recalibrates z, so any gain of the others is due to the other labels.

The gain is in log-loss, in bits per row and label; the intervals over folds are those of `equipoise.report.significance`.
Dembczyński et al. 2012, DOI 10.1007/s10994-012-5285-8, explain how marginal and conditional dependence differ, and which
losses each of them matters for. "The input is known" means here: as far as a linear model can use it.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from equipoise.contracts.dataset import Dataset
from equipoise.core.arrays import Floats, Ints
from equipoise.core.seeds import seed_of, stream
from equipoise.diagnosis.sections.inputs import Scaler, compressed, matrix_of
from equipoise.report.significance import Difference, difference, holm
from equipoise.splits.outer import stratified_folds

FOLDS = 10
MOST_ROWS, MOST_LABELS = 2000, 30
LEAST_POSITIVES = 20  # positives and negatives that a label must have in the sample: two in each fold
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse L2 penalties tried for the models of the input
_CLIP = 15.0  # log-odds are clipped here, so that a single wrong prediction costs at most 21 bits


class Gains(NamedTuple):
    """The log-loss in bits of each sampled row and label, (n, L), for the label's frequency and for the three models."""

    prior: Floats  # predicting the label's frequency
    alone: Floats  # the input only
    true: Floats  # the input and the true other labels
    predicted: Floats  # the input and the predicted other labels
    weights: Floats  # (L, L): standardised coefficient of the true column label in the row label's model, fold mean


def conditional_section(data: Dataset, seed: int, most_rows: int, most_labels: int) -> dict[str, Any]:
    """The test's results as plain data. If it is not possible, `tested` is False and `why` says why."""
    rows = sample_rows(data.n_rows, most_rows, seed)
    Y = data.Y[rows]
    counts = Y.sum(axis=0, dtype=np.int64)
    enough = np.flatnonzero(np.minimum(counts, len(Y) - counts) >= LEAST_POSITIVES)
    chosen = np.sort(enough[np.argsort(-counts[enough], kind="stable")][:most_labels])
    if len(chosen) < 2:
        why = f"fewer than two labels have {LEAST_POSITIVES} rows with and {LEAST_POSITIVES} without them in the sample"
        return {"tested": False, "why": why, "rows": len(rows), "labels": len(chosen)}
    X, note = compressed(matrix_of(data.take(rows))[0], seed_of("diagnose", "components", seed) % 2**32)
    part = np.ascontiguousarray(Y[:, chosen])
    folds = stratified_folds(part, FOLDS, seed_of("diagnose", "folds", seed) % 2**63)
    gains = _gains("components" if note else data.kind, X, part, folds)
    names = [data.labels[j] for j in chosen]
    note = "; ".join(n for n in (_sampled(data, len(rows), len(chosen), len(enough)), note) if n)
    return {"tested": True, "sample": note, **_summary(gains, folds, names, part)}


def sample_rows(rows: int, most: int, seed: int) -> Ints:
    """All rows, or `most` of them drawn at random; sorted."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(stream("diagnose", "rows", seed).choice(rows, most, replace=False))


def _sampled(data: Dataset, rows: int, labels: int, enough: int) -> str:
    """Which rows and labels the test used, in words."""
    parts = [f"{rows} of {data.n_rows} rows, drawn at random"] if rows < data.n_rows else [f"all {rows} rows"]
    if labels < data.n_labels:
        rare = f"{enough} of {data.n_labels} labels have {LEAST_POSITIVES} positives in them"
        parts.append(f"the {labels} most frequent labels ({rare})" if labels < enough else rare)
    return "; ".join(parts)


def _gains(kind: str, X: Any, Y: np.ndarray, folds: Ints) -> Gains:
    """Cross-validate all models; see the head of this file."""
    strength = _strength(kind, X, Y, folds)
    z = _input_scores(kind, X, Y, folds, strength)
    prior, alone, true, predicted = (np.zeros(Y.shape) for _ in range(4))
    weights = np.zeros((Y.shape[1], Y.shape[1]))
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        # Smoothed: a share of 0 would cost infinite bits.
        share = (Y[train].sum(axis=0) + 0.5) / (train.sum() + 1.0)
        prior[test] = _bits(np.log(share / (1 - share))[None, :].repeat(test.sum(), axis=0), Y[test])
        # With z at unit scale the L2 penalty treats predicted labels like the true ones, which are 0 or 1.
        scale = z[train].std(axis=0) + 1e-9
        for j in range(Y.shape[1]):
            others = np.delete(np.arange(Y.shape[1]), j)
            z_j = z[:, [j]]
            for out, extra in ((alone, None), (true, Y[:, others]), (predicted, (z / scale)[:, others])):
                columns = z_j if extra is None else np.hstack([z_j, extra])
                model = _logistic(columns[train], Y[train, j])
                out[test, j] = _bits(_scores(model, columns[test]), Y[test, j])
                if out is true:
                    weights[j, others] += model.coef_[0, 1:] * Y[train][:, others].std(axis=0) / FOLDS
    return Gains(prior, alone, true, predicted, weights)


def _strength(kind: str, X: Any, Y: np.ndarray, folds: Ints) -> float:
    """The inverse penalty with the lowest log-loss, out of three coarser folds and over at most ten labels (for speed)."""
    frequent = np.argsort(-Y.sum(axis=0), kind="stable")[:10]
    part, coarse = Y[:, frequent], folds % 3
    losses = [_bits(_input_scores(kind, X, part, coarse, c), part).mean() for c in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))]


def _input_scores(kind: str, X: Any, Y: np.ndarray, folds: Ints, strength: float) -> Floats:
    """Out-of-fold log-odds of every label from the input alone, (n, L)."""
    from sklearn.linear_model import LogisticRegression

    z = np.zeros(Y.shape)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        scaled = Scaler(kind, X, train)
        X_train, X_test = scaled(X[train]), scaled(X[test])
        for j in range(Y.shape[1]):
            model = LogisticRegression(C=strength, solver="liblinear", tol=1e-3, random_state=0).fit(
                X_train, Y[train, j]
            )
            z[test, j] = _scores(model, X_test)
    return z


def _logistic(columns: Floats, y: np.ndarray) -> Any:
    from scipy.linalg import LinAlgWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # With dependent columns the solver goes over to L-BFGS by itself, which needs no mention.
        warnings.simplefilter("ignore", LinAlgWarning)
        return LogisticRegression(C=1.0, solver="newton-cholesky", random_state=0).fit(columns, y)


def _scores(model: Any, columns: Any) -> Floats:
    return np.clip(model.decision_function(columns), -_CLIP, _CLIP)


def _bits(z: Floats, y: np.ndarray) -> Floats:
    """The log-loss of log-odds z in bits; logaddexp keeps large |z| from overflow."""
    return np.asarray(np.logaddexp(0.0, np.where(y > 0, -z, z)) / np.log(2.0))


def _summary(gains: Gains, folds: Ints, names: list[str], Y: np.ndarray) -> dict[str, Any]:
    means = {name: float(part.mean()) for name, part in zip(gains._fields[:4], gains[:4], strict=True)}
    tested = {w: _per_label(gains.alone, getattr(gains, w), folds, names) for w in ("true", "predicted")}
    return {
        "rows": len(Y),
        "labels": len(names),
        "folds": FOLDS,
        "log_loss_bits": {
            "frequency_only": means["prior"],
            "input": means["alone"],
            "input_and_true_others": means["true"],
            "input_and_predicted_others": means["predicted"],
        },
        "gain_true": _gain(gains.alone, gains.true, folds),
        "gain_predicted": _gain(gains.alone, gains.predicted, folds),
        "per_label": [_label(gains, j, names, Y, tested) for j in range(len(names))],
    }


def _label(
    gains: Gains, j: int, names: list[str], Y: np.ndarray, tested: dict[str, dict[str, Difference]]
) -> dict[str, Any]:
    # The label whose truth changes this label's odds most.
    partner = int(np.argmax(np.abs(gains.weights[j])))
    return {
        "label": names[j],
        "positives": int(Y[:, j].sum()),
        "input_bits": float(gains.alone[:, j].mean()),
        "gain_true": _plain(tested["true"][names[j]], float(gains.alone[:, j].mean())),
        "gain_predicted": _plain(tested["predicted"][names[j]], float(gains.alone[:, j].mean())),
        "tells_most": names[partner],
        "tells": "more likely" if gains.weights[j, partner] > 0 else "less likely",
    }


def _gain(without: Floats, with_: Floats, folds: Ints) -> dict[str, float]:
    """The bits saved over all labels, with their interval over folds."""
    return _plain(_difference(without.mean(axis=1), with_.mean(axis=1), folds), float(without.mean()))


def _per_label(without: Floats, with_: Floats, folds: Ints, names: list[str]) -> dict[str, Difference]:
    return holm({name: _difference(without[:, j], with_[:, j], folds) for j, name in enumerate(names)})


def _difference(without: Floats, with_: Floats, folds: Ints) -> Difference:
    # Folds share training rows, so `difference` needs the ratio of test to training rows (Nadeau & Bengio 2003).
    saved = {fold: float((without - with_)[folds == fold].mean()) for fold in range(FOLDS)}
    return difference(saved, dict.fromkeys(range(FOLDS), 0.0), ratio=1 / (FOLDS - 1))


def _plain(difference: Difference, without: float) -> dict[str, float]:
    share = difference.mean / without if without > 0 else 0.0
    return {
        "bits": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "share": share,
        "p_holm": difference.p_holm,
    }
