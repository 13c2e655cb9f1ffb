"""Faults in what a data set holds."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy.sparse as sp
from planted_datasets.load_faults import changed
from planted_datasets.right import Numbers, Texts, planted

plant = partial(planted, globals())


def with_column(values):
    """A fifth column made from the labels."""
    return changed(
        lambda p: {"X": np.column_stack([p["X"], values(p["Y"])]), "features": (*p["features"], "e")}
    )


def texts(change):
    """The texts, changed."""
    return changed(
        lambda p: {"X": np.array([change(i, t) for i, t in enumerate(p["X"])], dtype=object)}, Texts
    )


def label(j, value):
    """One label the same for all rows."""

    def change(p):
        Y = p["Y"].copy()
        Y[:, j] = value
        return {"Y": Y}

    return changed(change)


def official(of):
    return changed(lambda p: {"official": of(p)})


def _repeated(p):
    """Test rows that were copied from the training rows."""
    X, Y = p["X"].copy(), p["Y"].copy()
    test = np.flatnonzero(p["official"] == 2)
    X[test], Y[test] = X[test + 1], Y[test + 1]
    return {"X": X, "Y": Y}


def _nominal(p):
    return {"nominal": np.array([True, False, False, False])}


def _holes(p):
    X = p["X"].copy()
    X[3, 1] = np.nan
    return {"X": X}


def _leak(p):
    return {"X": np.column_stack([p["X"], p["Y"]]), "features": ()}


def _sparse_leak(p):
    return {"X": sp.csr_matrix(np.column_stack([p["X"], p["Y"]])), "features": ()}


FAULTS = [
    plant(Numbers, "twos", "form", parts=changed(lambda p: {"Y": p["Y"] * 2})),
    plant(Numbers, "probabilities", "form", parts=changed(lambda p: {"Y": p["Y"] * 0.7})),
    plant(Numbers, "one_row_less", "form", parts=changed(lambda p: {"Y": p["Y"][1:]})),
    plant(Numbers, "holes", "form", parts=changed(_holes)),
    plant(Numbers, "infinite", "form", parts=changed(lambda p: {"X": p["X"] * 1e300})),
    plant(Numbers, "two_names", "form", parts=changed(lambda p: {"labels": ("a", "b")})),
    plant(Numbers, "twice_a", "form", parts=changed(lambda p: {"labels": ("a", "b", "a")})),
    plant(Numbers, "flat_labels", "form", parts=changed(lambda p: {"Y": p["Y"][:, 0]})),
    plant(Texts, "bytes", "form", parts=texts(lambda i, t: t.encode())),
    plant(Texts, "missing_texts", "form", parts=texts(lambda i, t: None if i == 5 else t)),
    plant(Numbers, "odd_official", "form", parts=official(lambda p: p["official"] + 5)),
    plant(Numbers, "short_official", "form", parts=official(lambda p: p["official"][:-1])),
    plant(Numbers, "feature_names", "form", parts=changed(lambda p: {"features": ("a", "b")})),
    plant(Numbers, "another_name", "named", parts=changed(lambda p: {"name": "other"})),
    plant(Numbers, "no_terms", "named", parts=changed(lambda p: {"terms": ""})),
    plant(Numbers, "no_source", "named", parts=changed(lambda p: {"source": " "})),
    plant(Numbers, "blank_label", "labels", parts=changed(lambda p: {"labels": ("a", "b ", "c")})),
    plant(Numbers, "nameless_label", "labels", parts=changed(lambda p: {"labels": ("a", "", "c")})),
    plant(Numbers, "absent_label", "labels", parts=label(1, 0)),
    plant(Numbers, "label_of_all", "labels", parts=label(0, 1)),
    plant(
        Numbers, "twice_the_column", "columns", parts=changed(lambda p: {"features": ("a", "b", "c", "a")})
    ),
    plant(Numbers, "fractions_as_words", "columns", parts=changed(_nominal)),
    plant(
        Numbers,
        "labels_as_columns",
        "leak",
        parts=changed(lambda p: {"X": np.column_stack([p["X"], p["Y"]]), "features": ()}),
    ),
    plant(Numbers, "labels_in_sparse", "leak", parts=changed(_sparse_leak)),
    plant(Numbers, "row_number", "leak", parts=with_column(lambda Y: np.arange(len(Y)))),
    plant(Texts, "empty_texts", "texts", parts=texts(lambda i, t: "  " if i % 7 == 3 else t)),
    plant(Numbers, "all_training", "official", parts=official(lambda p: 0 * p["official"])),
    plant(Numbers, "all_test", "official", parts=official(lambda p: 0 * p["official"] + 2)),
    plant(
        Numbers,
        "lonely_test",
        "official",
        parts=official(lambda p: np.where(np.arange(len(p["X"])) == 0, 2, 0)),
    ),
    plant(Numbers, "test_rows_again", "official", parts=changed(_repeated)),
]
