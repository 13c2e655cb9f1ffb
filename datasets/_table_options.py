"""The options of a user's own file: one declaration for `TableSource` and for the command line, which loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from equipoise.contracts.options import option


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be read. What is None is detected. Several columns are given as "a+b" or as a list."""

    text: Any = option(None, "The text column, or several joined to one text: a+b")
    features: Any = option(None, "The columns of numbers or categories: a+b+c")
    labels: Any = option(None, "The 0/1 label columns: a+b+c")
    label_column: Any = option(None, "The column that lists the labels of a row by name")
    group_column: Any = option(
        None, "The column that says which rows belong together (patient, thread): no split separates them"
    )
    separator: Any = option(None, "What separates the names in the label column; \\n for a line break")
    label_format: str = option(
        "auto",
        "How the label column is read",
        choices=("auto", "list", "split", "whole", "tags", "multi-hot"),
    )
    label_names: Any = option(None, "The names of the positions of multi-hot lists: a+b+c")
    split_column: Any = option(
        None, "The column that says train, validation or test for each row; gives the official split"
    )
    test: Any = option(None, "A second file with the rows to test on; gives the official split")
    delimiter: Any = option(None, "What divides the columns of a CSV file; tab for a tab")
    encoding: str = option("utf-8", "The encoding of a CSV file: latin-1, cp1252, utf-16, …")
