"""Random resamplers and REMEDIAL equal published numbers and their rules written as loops, and have general properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equipoise
from equipoise import Rows, measures
from equipoise.resampling.audit import audit, sentence

from .shared.label_matrices import matrices, resampled


def labels(name: str, data_dir: Path) -> np.ndarray:
    return np.asarray(equipoise.load_dataset(name, data_dir=data_dir).Y)


# --- published numbers
@pytest.mark.parametrize(
    ("name", "rows", "before", "after"),
    [
        ("emotions", 815, 0.010952, 0.000562),
        ("birds", 785, 0.033028, 0.013383),
        ("medical", 1163, 0.047056, 0.031336),
        ("enron", 2547, 0.302768, 0.192852),
    ],
)
def test_remedial_as_two_programs_agree(
    name: str, rows: int, before: float, after: float, data_dir: Path
) -> None:
    Y = labels(name, data_dir)
    out = resampled("remedial", Y)
    assert len(out) == rows
    assert round(measures.scumble(Y), 6) == before
    assert round(measures.scumble(out.Y), 6) == after
    assert np.array_equal(out.Y.sum(0), Y.sum(0))
    assert measures.mean_ir(out.Y) == measures.mean_ir(Y)


@pytest.mark.parametrize("p", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_ml_ros_on_medical_does_not_hang_on_chance(p: float, seed: int, data_dir: Path) -> None:
    Y = labels("medical", data_dir)
    out = resampled(f"ml_ros[p={p}]", Y, seed)
    assert len(out) - len(Y) == 34
    assert round(measures.mean_ir(out.Y), 3) == 42.991


@pytest.mark.parametrize(
    ("name", "mean_ir", "within", "clones"),
    # `within`: three standard errors of a mean of ten, from the spread over a hundred seeds
    [
        ("yeast", 3.754, 0.05, 336),
        ("enron", 33.4, 0.4, None),
        ("corel5k", 89.7, 0.3, None),
        ("emotions", 1.485, 0.025, None),
    ],
)
def test_ml_ros_means_over_ten_seeds(
    name: str, mean_ir: float, within: float, clones: int | None, data_dir: Path
) -> None:
    Y = labels(name, data_dir)
    outs = [resampled("ml_ros[p=0.25]", Y, seed) for seed in range(10)]
    assert np.mean([measures.mean_ir(o.Y) for o in outs]) == pytest.approx(mean_ir, abs=within)
    if clones is not None:
        assert np.mean([len(o) - len(Y) for o in outs]) == pytest.approx(clones, abs=4)


def test_labelset_resampling_of_cal500_is_a_no_op(data_dir: Path) -> None:
    Y = labels("cal500", data_dir)
    for name in ("lp_ros", "lp_rus"):
        assert np.array_equal(resampled(name, Y).index, np.arange(len(Y)))


# --- the rules as loops
def ml_ros_loop(Y: np.ndarray, budget: int, rng: np.random.Generator) -> list[int]:
    """The rule of Charte et al. 2015 row by row: IRLbl of the enlarged set is computed anew after each clone."""
    original, grown = measures.irlbl(Y), list(Y)
    limit = measures.mean_ir(Y)
    bags = [(j, np.flatnonzero(Y[:, j])) for j in range(Y.shape[1]) if limit < original[j] < np.inf]
    uniform, out = iter(rng.random(budget)), []
    while bags:
        for bag in list(bags):
            if len(out) == budget:
                return out
            out.append(int(bag[1][int(next(uniform) * len(bag[1]))]))
            grown.append(Y[out[-1]])
            if measures.irlbl(np.array(grown))[bag[0]] <= limit:
                bags.remove(bag)
    return out


@given(matrices(), st.sampled_from([0.3, 1.0]))
def test_ml_ros_in_bulk_is_the_loop(Y: np.ndarray, p: float) -> None:
    budget = int(len(Y) * p)
    out = resampled(f"ml_ros[p={p}]", Y, 5)
    expected = ml_ros_loop(Y, budget, np.random.default_rng(5)) if budget else []
    assert out.index[len(Y) :].tolist() == expected
    assert np.array_equal(out.Y, Y[out.index])


@given(matrices(60), st.integers(0, 3))
def test_ml_rus_deletes_only_what_it_may(Y: np.ndarray, seed: int) -> None:
    out = resampled("ml_rus[p=0.5]", Y, seed)
    ratios, mean = measures.irlbl(Y), measures.mean_ir(Y)
    gone = np.setdiff1d(np.arange(len(Y)), out.index)
    rare, common = np.isfinite(ratios) & (ratios > mean), ratios < mean
    assert len(gone) <= len(Y) // 2
    assert not Y[gone][:, rare].any()
    assert Y[gone][:, common].any(1).all()
    assert np.array_equal(out.Y, Y[out.index])
    assert ((out.Y.sum(0) > 0) == (Y.sum(0) > 0)).all() or len(gone)
    if len(gone) < len(Y) // 2:  # stopped early: every bag is empty or no longer below the mean
        after = measures.irlbl(out.Y)
        free = ~out.Y[:, rare].any(1)
        open_ = [j for j in np.flatnonzero(common) if out.Y[free, j].any() and after[j] < mean]
        counted = out.Y.sum(0)
        # a bag that left once does not come back, though later deletions may lower its ratio again
        assert all(counted[j] < Y[:, j].sum() for j in open_)


def shares_loop(rooms: list[int], budget: int) -> list[int]:
    """Labelset by labelset, smallest room first: an equal share of the remaining budget, at most its room."""
    out = []
    for i, room in enumerate(rooms):
        out.append(min(room, budget // (len(rooms) - i)))
        budget -= out[-1]
    return out


@given(matrices(80), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_lp_ros_and_lp_rus_share_the_budget_as_the_loop(Y: np.ndarray, p: float) -> None:
    sets, counts = np.unique(Y, axis=0, return_counts=True)
    mean, places = len(Y) / len(counts), [int(np.flatnonzero((s == Y).all(1))[0]) for s in sets]
    for name, room in (("lp_ros", mean - counts), ("lp_rus", counts - mean)):
        if name == "lp_rus" and p > 0.5:
            continue
        out = resampled(f"{name}[p={p}]", Y, 1)
        after = np.array([(s == out.Y).all(1).sum() for s in sets])
        order = [
            i for i in sorted(range(len(sets)), key=lambda i: (np.floor(room[i]), places[i])) if room[i] >= 1
        ]
        expected = shares_loop([int(np.floor(room[i])) for i in order], int(len(Y) * p))
        assert np.abs(after - counts)[order].tolist() == expected
        assert np.abs(after - counts).sum() == sum(expected)


@given(matrices(60))
def test_remedial_splits_a_row_into_its_frequent_and_its_rare_labels(Y: np.ndarray) -> None:
    out = resampled("remedial", Y)
    mixed, ratios, mean = measures.scumble_rows(Y), measures.irlbl(Y), measures.mean_ir(Y)
    split = [i for i in range(len(Y)) if mixed[i] > mixed.mean() + 1e-9]
    assert out.index[len(Y) :].tolist() == split
    for place, row in enumerate(split):
        kept, copy = out.Y[row], out.Y[len(Y) + place]
        assert np.array_equal(kept | copy, Y[row])
        assert not (kept & copy).any()
        assert (ratios[kept > 0] <= mean).all()
        assert (ratios[copy > 0] > mean).all()
    assert np.array_equal(out.Y.sum(0), Y.sum(0))


@given(matrices(60))
def test_remedial_without_empty_rows_leaves_whole_what_has_labels_of_one_kind(Y: np.ndarray) -> None:
    paper, out = resampled("remedial", Y), resampled("remedial[variant=no_empty]", Y)
    assert (~out.Y.any(1)).sum() == (~Y.any(1)).sum()
    assert np.array_equal(out.Y.sum(0), Y.sum(0))
    copies = paper.Y[len(Y) :]
    whole = ~copies.any(1) | ~paper.Y[paper.index[len(Y) :]].any(1)
    assert out.index[len(Y) :].tolist() == paper.index[len(Y) :][~whole].tolist()
    assert np.array_equal(out.Y[len(Y) :], copies[~whole])


@pytest.mark.parametrize(
    ("name", "split", "bare"), [("yeast", 817, 612), ("enron", 845, 776), ("medical", 185, 171)]
)
def test_remedial_splits_off_rows_without_any_label(name: str, split: int, bare: int, data_dir: Path) -> None:
    Y = labels(name, data_dir)
    before, out = Rows(np.arange(len(Y)), Y), resampled("remedial", Y)
    found = audit(before, out)
    assert found["after"]["rows"] - found["before"]["rows"] == split
    assert found["after"]["unlabelled"] - found["before"]["unlabelled"] == bare
    whole = audit(before, resampled("remedial[variant=no_empty]", Y))
    assert whole["after"]["unlabelled"] == whole["before"]["unlabelled"]
    assert whole["after"]["rows"] - len(Y) == split - bare
    assert f"{bare} more without any label" in sentence("remedial", name, [found])


def test_remedial_leaves_rows_alone_that_are_all_alike() -> None:
    Y = np.tile(np.array([[1, 1, 0], [1, 0, 1]], dtype=np.uint8), (7, 1))
    assert len(resampled("remedial", Y)) == 14  # each SCUMBLE is the mean, whatever rounding says
