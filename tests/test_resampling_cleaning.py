"""MLeNN and MLTL against loops written from their papers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from equipoise import load_dataset, measures

from .shared.neighbours import nearest_loop, resampled, spared, world

seeds = st.integers(0, 2**32)


# --- cleaning
def label_distance(a: np.ndarray, b: np.ndarray) -> float:
    both = int(a.sum() + b.sum())
    return float((a != b).sum() / both) if both else 0.0


@given(seeds, st.booleans())
def test_mlenn_is_the_loop(seed: int, ties: bool) -> None:
    X, Y = world(seed, ties)
    near, safe, kept = nearest_loop(X, 3), spared(Y), []
    for i in range(len(Y)):
        differing = sum(label_distance(Y[i], Y[m]) > 0.75 for m in near[i])
        if safe[i] or differing < near.shape[1] / 2:
            kept.append(i)
    assert resampled("mlenn", X, Y).index.tolist() == (kept or list(range(len(Y))))


@given(seeds, st.booleans(), st.sampled_from(["pair", "nearest"]))
def test_mltl_is_the_loop(seed: int, ties: bool, variant: str) -> None:
    X, Y = world(seed, ties)
    near, safe, kept = nearest_loop(X, 1)[:, 0], spared(Y), []
    indicator = 1 / np.sqrt(measures.mean_ir(Y))
    threshold = 0.15 if indicator < 0.3 else 0.3 if indicator < 0.5 else 0.5
    for i in range(len(Y)):
        link = variant == "nearest" or near[near[i]] == i
        if safe[i] or not link or label_distance(Y[i], Y[near[i]]) <= threshold:
            kept.append(i)
    assert resampled(f"mltl[variant={variant}]", X, Y).index.tolist() == (kept or list(range(len(Y))))


@given(seeds, st.booleans(), st.booleans())
def test_mltl_of_the_authors_is_the_loop(seed: int, ties: bool, sparse: bool) -> None:
    X, Y = world(seed, ties)
    span = np.ptp(X, axis=0)
    near = nearest_loop(np.hstack([X / np.where(span > 0, span, 1), Y]), 1)[:, 0]
    frequent = measures.irlbl(Y) < measures.mean_ir(Y)
    indicator = 1 / np.sqrt(measures.mean_ir(Y))
    threshold = 0.15 if indicator < 0.3 else 0.3 if indicator < 0.5 else 0.5
    threshold = 0.5 if measures.scumble(Y) > 0.3 else threshold
    kept = []
    for i in range(len(Y)):
        a, b = set(np.flatnonzero(Y[i])), set(np.flatnonzero(Y[near[i]]))
        if not Y[i, frequent].any() or len(a ^ b) <= threshold * len(a | b):
            kept.append(i)
    out = resampled("mltl[variant=authors]", sp.csr_matrix(X) if sparse else X, Y)
    assert out.index.tolist() == (kept or list(range(len(Y))))
    assert out.Y.any(1).sum() - Y.any(1).sum() == len(out) - len(Y), "rows without labels stay"


@pytest.mark.parametrize(("name", "dropped"), [("flags", 6), ("emotions", 1), ("yeast", 34)])
def test_mltl_drops_as_many_rows_as_its_authors_program(name: str, dropped: int, data_dir: Path) -> None:
    data = load_dataset(name, data_dir=data_dir)
    out = resampled("mltl[variant=authors]", data.X, data.Y, nominal=data.nominal)
    assert len(data.Y) - len(out) == dropped


def test_variants_of_mltl_differ_as_its_docstring_says(data_dir: Path) -> None:
    data = load_dataset("yeast", data_dir=data_dir)
    X = (data.X - data.X.mean(0)) / data.X.std(0)
    left = [len(resampled(f"mltl[variant={v}]", X, data.Y)) for v in ("pair", "nearest", "authors")]
    assert [2417 - rows for rows in left] == [343, 1316, 34]
