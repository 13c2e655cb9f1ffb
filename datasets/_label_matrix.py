"""Reads the labels of a table from 0/1 columns, or from one column that lists label names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.core.errors import EquipoiseError
from equipoise.datasets._column_roles import Roles
from equipoise.datasets._label_column import alike, label_column, zeros
from equipoise.datasets._label_names import truth
from equipoise.datasets._truth import check_truth
from equipoise.readers.tables import Table, name_list


def label_matrix(
    table: Table,
    roles: Roles,
    separator: Any = None,
    kind: str = "auto",
    positions: Any = None,
    chosen: bool = True,
) -> tuple[NDArray[np.uint8], tuple[str, ...], list[str]]:
    """The labels (n, L) of 0 and 1, their names, and notes for the user.

    The label columns are emptied while they are read, to save memory. `separator`, `kind` and `positions` are the options of a
    column of names; `chosen` is whether the user has named it.

    Raises:
        EquipoiseError: a label is not readable; the message names file, line and column.
    """
    if roles.label_column is not None:
        return label_column(table, roles.label_column, separator, kind, positions, chosen)
    given = {
        "separator": separator,
        "label_format": None if kind == "auto" else kind,
        "label_names": positions,
    }
    if wrong := [option for option, value in given.items() if value is not None]:
        labels = f"0/1 columns ({name_list(roles.labels)})"
        raise EquipoiseError(
            f"{table.file}: {wrong[0]} is for a column of label names, but the labels are {labels}; name that column with "
            "--label-column or [label_column=…]"
        )
    for name in roles.labels:
        check_truth(table, name)
    Y, begin = zeros(table, len(roles.labels)), 0
    # Chunk by chunk over all columns: a chunk is freed once its labels are in Y.
    for block in zip(*(table.columns[name].drain() for name in roles.labels), strict=True):
        end = begin + len(block[0].codes)
        for label, (values, codes) in enumerate(block):
            truths = [truth(cell, table.decimal_comma) for cell in values]
            Y[begin:end, label] = np.array(truths, dtype=np.uint8)[codes]
        begin = end
    return Y, roles.labels, alike(roles.labels)


def constant(table: Table, Y: NDArray[np.uint8], names: tuple[str, ...]) -> list[str]:
    """Notes on the labels that are the same in every row, which cannot be learned.

    Raises:
        EquipoiseError: all labels are of this kind.
    """
    positives = Y.sum(axis=0)
    never = [name for name, count in zip(names, positives, strict=True) if count == 0]
    always = [name for name, count in zip(names, positives, strict=True) if count == len(Y)]
    if len(never) + len(always) == len(names):
        what = f"never: {', '.join(never) or 'none'}; always: {', '.join(always) or 'none'}"
        raise EquipoiseError(
            f"{table.file}: every label has one class only ({what:.150}); nothing can be learned"
        )
    constants = (("never", never), ("always", always))
    return [
        f"label {name!r} is {when} on and cannot be learned" for when, labels in constants for name in labels
    ]
