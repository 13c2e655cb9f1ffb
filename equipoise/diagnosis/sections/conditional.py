"""Do the other labels tell anything once the input is known? One linear classifier per label, with and without them.

1. A logistic model of the input for every label, by cross-validation: out-of-fold log-odds z (n, L).
2. For every label, cross-validated over the same folds, three small logistic models: of its own z alone; of z and the
   *true* other labels (what there is to know: conditional dependence); of z and the other labels' *out-of-fold* z (what a
   classifier that also predicts the others could use: stacking, Godbole & Sarawagi 2004, DOI 10.1007/978-3-540-24775-3_5).
   They differ in nothing else, and the first recalibrates z, so a gain is the other labels' doing.

The gain is in log-loss, bits per row and label; the intervals are those of `equipoise.report.significance`, over folds.
That marginal and conditional dependence are different things, and which losses ask for which: Dembczyński et al. 2012, DOI
10.1007/s10994-012-5285-8. "The input is known" means: as far as a linear model knows it.
"""

from __future__ import annotations

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
LEAST_POSITIVES = 20  # positives and negatives a label must have in the sample: two a fold
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse L2 penalties tried for the input's models
_CLIP = 15.0  # log-odds beyond this are cut: a loss of 21 bits is enough for one wrong cell


class Gains(NamedTuple):
    """Log-loss in bits of each sampled row and label, (n, L), for guessing its frequency and the three models."""

    prior: Floats
    alone: Floats
    true: Floats
    predicted: Floats
    weights: Floats  # (L, L): mean coefficient of the other (column) label's truth in the row label's model, times its sd


def conditional_section(data: Dataset, seed: int, most_rows: int, most_labels: int) -> dict[str, Any]:
    """Everything found as plain data; `tested` is False, with `why`, where it cannot be asked."""
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
    found = _gains("components" if note else data.kind, X, part, folds)
    names = [data.labels[j] for j in chosen]
    note = "; ".join(n for n in (_sampled(data, len(rows), len(chosen), len(enough)), note) if n)
    return {"tested": True, "sample": note, **_summary(found, folds, names, part)}


def sample_rows(rows: int, most: int, seed: int) -> Ints:
    """All rows, or `most` of them drawn at random, in their order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(stream("diagnose", "rows", seed).choice(rows, most, replace=False))


def _sampled(data: Dataset, rows: int, labels: int, enough: int) -> str:
    parts = [f"{rows} of {data.n_rows} rows, drawn at random"] if rows < data.n_rows else [f"all {rows} rows"]
    if labels < data.n_labels:
        rare = f"{enough} of {data.n_labels} labels have {LEAST_POSITIVES} positives there"
        parts.append(f"the {labels} most frequent labels ({rare})" if labels < enough else rare)
    return "; ".join(parts)


def _gains(kind: str, X: Any, Y: np.ndarray, folds: Ints) -> Gains:
    strength = _strength(kind, X, Y, folds)
    z = _input_scores(kind, X, Y, folds, strength)
    prior, alone, true, predicted = (np.zeros(Y.shape) for _ in range(4))
    weights = np.zeros((Y.shape[1], Y.shape[1]))
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        share = (Y[train].sum(axis=0) + 0.5) / (train.sum() + 1.0)
        prior[test] = _bits(np.log(share / (1 - share))[None, :].repeat(test.sum(), axis=0), Y[test])
        scale = z[train].std(axis=0) + 1e-9
        for j in range(Y.shape[1]):
            others = np.delete(np.arange(Y.shape[1]), j)
            own = z[:, [j]]
            for out, extra in ((alone, None), (true, Y[:, others]), (predicted, (z / scale)[:, others])):
                columns = own if extra is None else np.hstack([own, extra])
                model = _logistic(columns[train], Y[train, j])
                out[test, j] = _bits(_scores(model, columns[test]), Y[test, j])
                if out is true:
                    weights[j, others] += model.coef_[0, 1:] * Y[train][:, others].std(axis=0) / FOLDS
    return Gains(prior, alone, true, predicted, weights)


def _strength(kind: str, X: Any, Y: np.ndarray, folds: Ints) -> float:
    """The penalty whose models predict best out of fold, in three coarser folds and on at most ten labels."""
    some = np.argsort(-Y.sum(axis=0), kind="stable")[:10]
    part, coarse = Y[:, some], folds % 3
    losses = [_bits(_input_scores(kind, X, part, coarse, c), part).mean() for c in STRENGTHS]
    return STRENGTHS[int(np.argmin(losses))]


def _input_scores(kind: str, X: Any, Y: np.ndarray, folds: Ints, strength: float) -> Floats:
    """Out-of-fold log-odds of every label from the input alone, (n, L)."""
    from sklearn.linear_model import LogisticRegression

    z = np.zeros(Y.shape)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        scaled = Scaler(kind, X, train)
        fitted, held = scaled(X[train]), scaled(X[test])
        for j in range(Y.shape[1]):
            model = LogisticRegression(C=strength, solver="liblinear", tol=1e-3, random_state=0).fit(
                fitted, Y[train, j]
            )
            z[test, j] = _scores(model, held)
    return z


def _logistic(columns: Floats, y: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, solver="newton-cholesky", random_state=0).fit(columns, y)


def _scores(model: Any, columns: Any) -> Floats:
    return np.clip(model.decision_function(columns), -_CLIP, _CLIP)


def _bits(z: Floats, y: np.ndarray) -> Floats:
    """Log-loss of log-odds z, bits."""
    return np.asarray(np.logaddexp(0.0, np.where(y > 0, -z, z)) / np.log(2.0))


def _summary(found: Gains, folds: Ints, names: list[str], Y: np.ndarray) -> dict[str, Any]:
    means = {name: float(part.mean()) for name, part in zip(found._fields[:4], found[:4], strict=True)}
    tested = {w: _per_label(found.alone, getattr(found, w), folds, names) for w in ("true", "predicted")}
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
        "gain_true": _gain(found.alone, found.true, folds),
        "gain_predicted": _gain(found.alone, found.predicted, folds),
        "per_label": [_label(found, j, names, Y, tested) for j in range(len(names))],
    }


def _label(
    found: Gains, j: int, names: list[str], Y: np.ndarray, tested: dict[str, dict[str, Difference]]
) -> dict[str, Any]:
    partner = int(np.argmax(np.abs(found.weights[j])))
    return {
        "label": names[j],
        "positives": int(Y[:, j].sum()),
        "input_bits": float(found.alone[:, j].mean()),
        "gain_true": _plain(tested["true"][names[j]], float(found.alone[:, j].mean())),
        "gain_predicted": _plain(tested["predicted"][names[j]], float(found.alone[:, j].mean())),
        "tells_most": names[partner],
        "tells": "more likely" if found.weights[j, partner] > 0 else "less likely",
    }


def _gain(without: Floats, with_: Floats, folds: Ints) -> dict[str, float]:
    """Bits saved, all labels together, with the interval over folds."""
    return _plain(_difference(without.mean(axis=1), with_.mean(axis=1), folds), float(without.mean()))


def _per_label(without: Floats, with_: Floats, folds: Ints, names: list[str]) -> dict[str, Difference]:
    return holm({name: _difference(without[:, j], with_[:, j], folds) for j, name in enumerate(names)})


def _difference(without: Floats, with_: Floats, folds: Ints) -> Difference:
    saved = {fold: float((without - with_)[folds == fold].mean()) for fold in range(FOLDS)}
    return difference(saved, dict.fromkeys(range(FOLDS), 0.0), ratio=1 / (FOLDS - 1))


def _plain(found: Difference, without: float) -> dict[str, float]:
    share = found.mean / without if without > 0 else 0.0
    return {"bits": found.mean, "low": found.low, "high": found.high, "share": share, "p_holm": found.p_holm}
