"""Files of external rows: what is read from them, one line for what is wrong, and the command line from end to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import scipy.sparse

from equipoise import load_dataset
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.datasets._external_file import read_external

from .shared import commands
from .shared.commands import Said, Say

command = commands.say

MAILS = "id,subject,body,bug,ui\n" + "".join(
    f"m{i},about {i},text number{i} of thing{i % 7},{int(i % 2 == 0)},{int(i % 3 == 0)}\n" for i in range(60)
)


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


@pytest.fixture
def mails() -> Dataset:
    Path("mails.csv").write_text(MAILS)
    return load_dataset("mails.csv")


def csv(*lines: str, name: str = "more.csv") -> str:
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def labels_of(data: Dataset, Y: np.ndarray) -> list[set[str]]:
    return [{data.labels[i] for i in np.flatnonzero(row)} for row in Y]


# --- what is read


def test_the_columns_of_the_data_set_s_own_file(mails: Dataset) -> None:
    rows = read_external(csv("id,body,subject,ui,bug,parent", "x,again,re,1,0,7", "y,more,,yes,no,0"), mails)
    assert rows.X.tolist() == ["re\n\nagain", "more"]
    assert labels_of(mails, rows.Y) == [{"ui"}, {"ui"}]
    assert (rows.rows.tolist(), rows.parents.tolist()) == ([0, 1], [7, 0])
    assert rows.Y.dtype == np.uint8


def test_without_labels_a_row_has_its_parent_s(mails: Dataset) -> None:
    rows = read_external(csv("subject,body,parent", "a,b,0", "c,d,1", "e,f,2;4", "g,h,[8 10]"), mails)
    assert labels_of(mails, rows.Y) == [{"bug", "ui"}, set(), {"bug"}, {"bug"}]
    assert (rows.rows.tolist(), rows.parents.tolist()) == ([0, 1, 2, 2, 3, 3], [0, 1, 2, 4, 8, 10])


def test_json_lines_with_lists(mails: Dataset) -> None:
    lines = [
        {"subject": "a", "body": "b", "labels": ["ui"], "parent": [3, 17]},
        {"subject": "c", "body": "d", "labels": [], "parent": [59]},
    ]
    Path("more.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = read_external("more.jsonl", mails)
    assert labels_of(mails, rows.Y) == [{"ui"}, set()]
    assert rows.parents.tolist() == [3, 17, 59]


def test_parquet_gives_the_same_rows_as_csv(mails: Dataset) -> None:
    import pandas as pd

    file = csv("subject,body,parent,bug,ui", "a,b,3,0,1", "c,d,4,1,1")
    pd.read_csv(file).to_parquet("more.parquet")
    assert read_external("more.parquet", mails).sha256 == read_external(file, mails).sha256


@pytest.mark.parametrize("separator", [";", "|", ","])
def test_a_column_of_label_names(separator: str) -> None:
    names = ("a, b", "c", "d")  # a label may hold another separator
    lines = [f"text number{i} of {i},{names[i % 3] if i % 3 else 'c;d'}" for i in range(30)]
    Path("tagged.csv").write_text("text,tags\n" + "\n".join(lines) + "\n")
    data = load_dataset("tagged.csv", separator=";", label_column="tags")
    cell = f'"c{separator}d"'
    rows = read_external(csv("text,parent,tags", f"x,1,{cell}", "y,2,d", "z,3,"), data)
    assert labels_of(data, rows.Y) == [{"c", "d"}, {"d"}, set()]


def test_categories_have_the_codes_of_the_data_set() -> None:
    colours = ("blue", "green", "red")
    rows = [f"{i / 7:.3f},{colours[i % 3]},{i % 2},{int(i % 5 == 0)}" for i in range(40)]
    Path("table.csv").write_text("size,colour,u,v\n" + "\n".join(rows) + "\n")
    data = load_dataset("table.csv")
    rows_of = read_external(csv("colour,size,parent", "red,0.5,1", "green,1.5,3"), data)
    assert np.array_equal(rows_of.X, np.array([[0.5, 2.0], [1.5, 1.0]], dtype=np.float32))
    with pytest.raises(
        EquipoiseError, match=r"unknown word at more.csv line 2, column 'colour': 'gren'; did you"
    ):
        read_external(csv("colour,size,parent", "gren,0.5,1"), data)


def test_a_sparse_data_set_gets_sparse_rows() -> None:
    X = scipy.sparse.random(30, 3, density=0.5, format="csr", random_state=0, dtype=np.float32)
    data = Dataset("bags", X, np.eye(30, 2, dtype=np.uint8), ("u", "v"), features=("a", "b", "c"))
    rows = read_external(csv("a,b,c,parent", "0,2,0,1", "1,0,0,2"), data)
    assert scipy.sparse.issparse(rows.X)
    assert rows.X.toarray().tolist() == [[0, 2, 0], [1, 0, 0]]


# --- what is wrong

HEAD = "subject,body,parent"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["subject,body", "a,b"], "more.csv has no column 'parent', the row of mails (counted from 0)"),
        (["subject,parent", "a,1"], "more.csv has no column 'body', an input of mails"),
        ([f"{HEAD},buug", "a,b,1,0"], "unknown column of more.csv beside those of mails: 'buug'; did you mean 'bug'?"),
        ([f"{HEAD},bug", "a,b,1,0"], "more.csv has columns for some labels and none for ui"),
        ([f"{HEAD},bug,ui", "a,b,1,0,2"], "more.csv line 2, column 'ui' has '2'; a label is 0 or 1"),
        ([f"{HEAD},tags", "a,b,1,ui;uy"], "unknown label at more.csv line 2, column 'tags': 'uy'; did you mean 'ui'?"),
        ([HEAD, "a,b,1", "a,b,60"], "more.csv line 3, column 'parent' has '60', which names no row of mails: a number from 0"),
        ([HEAD, "a,b,"], "more.csv line 2, column 'parent' has '', which names no row"),
        ([HEAD, "a,b,m7"], "more.csv line 2, column 'parent' has 'm7', which names no row"),
        ([HEAD, "a,b,-1"], "more.csv line 2, column 'parent' has '-1', which names no row"),
        ([HEAD, "a,b,1.5"], "more.csv line 2, column 'parent' has '1.5', which names no row"),
        ([HEAD, "a,b,0;1"], "more.csv line 2, column 'parent' names parents whose labels differ"),
        ([HEAD], "more.csv"),
    ],
)  # fmt: skip
def test_one_line_for_what_is_wrong(mails: Dataset, lines: Sequence[str], expected: str) -> None:
    with pytest.raises(EquipoiseError) as caught:
        read_external(csv(*lines), mails)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_a_missing_file(mails: Dataset) -> None:
    with pytest.raises(EquipoiseError, match=r"there is no file of external rows at \./nowhere\.csv"):
        read_external("./nowhere.csv", mails)


# --- the command line


@pytest.fixture
def say(command: Say) -> Say:
    """Run `equipoise` with these arguments in this process, and check its exit code."""

    def run(*words: str, code: int = 0) -> Said:
        said = command(*words)
        assert said.code == code, said.err
        return said

    return run


RUN = ("run", "--dataset", "mails.csv", "--backbone", "linear", "--strategy", "none", "--strategy")
BRIEF = ("--splits", "2", "--trials", "1", "--folds", "2", "--epochs", "1")


def test_a_sweep_in_several_processes_reads_a_file_by_its_relative_path(mails: Dataset, say: Say) -> None:
    Path("data").mkdir()
    copy = "text number4 of thing4"  # row 4 again, under another parent
    file = csv(
        f"{HEAD}",
        *(f"re {i},again text number{i},{i}" for i in range(60)),
        f"about 4,{copy},9",
        name="data/a.csv",
    )
    wanted = f"external_rows[file=./{file},share=1]"
    planned = say(*RUN, wanted, *BRIEF, "--dry-run").out
    assert (
        "mails: 61 external rows in a.csv, made from 60 of 60 rows; 1 equal a row of the data set" in planned
    )
    said = say(*RUN, wanted, *BRIEF, "--workers", "2").out
    rows = [json.loads(line) for line in Path("results/live/rows.jsonl").read_text().splitlines()]
    mine = [row for row in rows if row["strategy"].startswith("external_rows")]
    assert [row["status"] for row in rows] == ["ok"] * 4
    for row in mine:
        counts = row["audit"]["external"]
        assert counts["file"] == 61
        assert counts["parent_tested"] in (12, 13)
        assert counts["included"] == 61 - counts["parent_tested"] - counts["equal_tested"]
    assert "of 61 external rows" in said
    # The same rows in another place need no new training.
    Path(file).rename("b.csv")
    again = json.loads(say(*RUN, "external_rows[file=b.csv,share=1]", *BRIEF, "--dry-run", "--json").out)
    assert {cell["state"] for cell in again["cells"]} == {"there"}
    assert len(again["notes"]) == 1


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_bad_rows_end_the_command_before_anything_is_trained(
    mails: Dataset, say: Say, words: Sequence[str]
) -> None:
    csv(HEAD, "a,b,1", "a,b,99")
    done = say(*RUN, "external_rows[file=more.csv]+scut", *BRIEF, *words, code=2)
    assert done.err.startswith(
        "error: more.csv line 3, column 'parent' has '99', which names no row of mails"
    )
    assert done.err.count("\n") == 1
    assert not Path("results").exists()


def test_from_python(mails: Dataset) -> None:
    import equipoise as package

    csv(HEAD, *(f"re {i},again text number{i},{i}" for i in range(60)))
    settings = {"trials": 1, "folds": 2, "epochs": 1, "splits": 1}
    frame = package.run(dataset=mails, backbone="linear", strategy="external_rows[file=more.csv]", **settings)
    assert frame["status"].tolist() == ["ok"]
