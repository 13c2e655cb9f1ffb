"""`equipoise publish`: what a folder holds, that its bytes depend on the rows alone, and that it is frozen."""

from __future__ import annotations

import csv
import gzip
import json
import os
import platform
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from equipoise.publishing import index
from equipoise.publishing.index import headline, write_index
from equipoise.publishing.readme import BEGIN, END, UNWRITTEN, finding_of
from equipoise.publishing.rows import public
from equipoise.publishing.writing import publish
from equipoise.report.export import report_frame
from equipoise.store.store import Store

Say = Callable[..., Any]


def test_a_folder_holds_the_rows_and_their_facts(swept: Path, once: Path) -> None:
    manifest = json.loads((once / "manifest.json").read_bytes())
    assert sorted(manifest["files"]) == sorted(
        file.name for file in once.iterdir() if file.name not in ("manifest.json", "README.md")
    )
    for name, expected in manifest["files"].items():
        assert sha256((once / name).read_bytes()).hexdigest() == expected
    rows = [json.loads(line) for line in gzip.decompress((once / "rows.jsonl.gz").read_bytes()).splitlines()]
    stored = {row["key"]: row for row in Store(swept).rows()}
    assert len(rows) == manifest["rows"] == 12 == len(stored)
    assert all(row["metrics"]["scores/map"] == stored[row["key"]]["metrics"]["scores/map"] for row in rows)
    assert manifest["core_hours"] == pytest.approx(
        sum(row["cost"]["seconds_total"] for row in stored.values()) / 3600, abs=1e-4
    )
    assert manifest["versions"]["numpy"]
    assert manifest["cpu"]
    assert manifest["machine"]["cores"] >= 1
    assert any(line.startswith("equipoise run --dataset") for line in manifest["commands"])
    assert '<html lang="en">' in (once / "index.html").read_text(encoding="utf-8")


def test_the_tables_say_what_the_report_says(swept: Path, once: Path) -> None:
    frame = report_frame(Store(swept).rows())
    with (once / "means.csv").open(encoding="utf-8") as file:
        means = {(line["dataset"], line["strategy"]): float(line["map"]) for line in csv.DictReader(file)}
    expected = {(line.dataset, line.strategy): line.map for line in frame.itertuples()}
    assert means == pytest.approx(expected, abs=1e-15)
    assert len(means) == 6
    with (once / "per_label.csv").open(encoding="utf-8") as file:
        labels = list(csv.DictReader(file))
    assert len(labels) == 2 * 3 * 5
    with (once / "differences.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert {"low", "high", "p_holm", "p_better", "p_equal", "p_worse"} <= set(header)


def test_the_bytes_depend_on_the_rows_alone(swept: Path, once: Path, tmp_path: Path) -> None:
    rows = Store(swept).rows()
    again = publish(rows[::-1], tmp_path / once.name).path
    for file in once.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_nothing_of_the_machine_is_published(tmp_path: Path) -> None:
    private = {
        "key": "k",
        "status": "failed",
        "dataset": "/home/ada/my sets/mails.csv[text=body]",
        "backbone": "embedding_bag[vectors=/home/ada/v/glove.txt]",
        "backbone_identity": "embedding_bag[vectors=0123abcd]",
        "strategy": "external_rows[file=./deep/more.csv]+scut",
        "split": 0,
        "error": "OSError: /home/ada/secret/file.txt: no such file",
        "traceback": "Traceback … /home/ada/x.py",
        "code": "a/b/c",
    }
    (row,) = public([private])
    assert row["dataset"] == "mails.csv[text=body]"
    assert row["backbone"] == "embedding_bag[vectors=glove.txt]"
    assert row["strategy"] == "external_rows[file=more.csv]+scut"
    assert row["error"] == "OSError: file.txt: no such file"
    assert row["code"] == "a/b/c"
    assert "traceback" not in row
    assert "ada" not in json.dumps(row)


def test_neither_the_host_nor_folders_are_in_a_file(swept: Path, once: Path) -> None:
    words = [str(swept), str(once.parent), str(Path.home()) + "/"]
    words += [platform.node()] if len(platform.node()) > 5 else []
    for file in once.iterdir():
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
        assert not [word for word in words if word in text], file.name


def test_half_a_character_in_the_name_of_a_file_can_be_published(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    folder = publish(
        [{**row, "dataset": name, "labels": [name]} for row in rows[:1]], tmp_path / "tiny-2026-11"
    )
    folder.whole()
    assert folder.manifest["data"][0]["name"] == "caf?.csv"
    assert folder.rows[0]["dataset"] == name, "JSON has an escape for it"


def test_of_several_rows_of_a_cell_the_last_is_published() -> None:
    cell = {"status": "ok", "dataset": "d", "backbone": "linear", "strategy": "none", "split": 0}
    rows = public([{**cell, "key": "old"}, {**cell, "key": "new"}, {**cell, "key": "b", "split": 10}])
    assert [row["key"] for row in rows] == ["new", "b"]


def test_other_rows_are_refused_and_the_finding_is_kept(say: Say, swept: Path, tmp_path: Path) -> None:
    words = ["--results", str(swept), "--into", "out"]
    assert say("publish", "tiny-2026-11", *words).code == 0
    readme = tmp_path / "out" / "tiny-2026-11" / "README.md"
    before = readme.read_text(encoding="utf-8")
    assert finding_of(before) == UNWRITTEN
    readme.write_text(before.replace(UNWRITTEN, "Nothing works.\n\nNot even this."), encoding="utf-8")
    assert say("verify", "out/tiny-2026-11", "--sample", "1").code == 0, "the finding may be edited by hand"
    assert say("publish", "tiny-2026-11", *words).code == 0
    assert finding_of(readme.read_text(encoding="utf-8")) == "Nothing works.\n\nNot even this."
    assert readme.read_text(encoding="utf-8").count(BEGIN) == 1
    fewer = Store(tmp_path / "fewer")
    for row in Store(swept).rows()[:5]:
        fewer.append(row)
    refused = say("publish", "tiny-2026-11", "--results", "fewer", "--into", "out")
    assert refused.code == 2
    assert "its rows are frozen" in refused.err
    assert refused.err.count("\n") == 1
    assert finding_of(readme.read_text(encoding="utf-8")).startswith("Nothing works.")


def test_the_finding_may_be_written_first(swept: Path, once: Path, tmp_path: Path) -> None:
    folder = tmp_path / once.name
    folder.mkdir()
    text = (once / "README.md").read_text(encoding="utf-8").replace(UNWRITTEN, "Ready before the rows.")
    (folder / "README.md").write_text(text, encoding="utf-8")
    publish(Store(swept).rows(), folder).whole()
    assert finding_of((folder / "README.md").read_text(encoding="utf-8")) == "Ready before the rows."


@pytest.mark.parametrize("name", ["Tiny", "a/b", "..", "x" * 80])
def test_a_name_is_one_that_can_be_cited(name: str, say: Say, swept: Path) -> None:
    refused = say("publish", name, "--results", str(swept))
    assert refused.code == 2
    assert refused.err.count("\n") == 1


def test_without_rows_there_is_nothing_to_publish(say: Say) -> None:
    refused = say("publish", "tiny-2026-11", "--results", "nowhere")
    assert refused.code == 2
    assert "no rows in nowhere" in refused.err


def test_the_index_lists_all_also_what_was_withdrawn(folder: Path) -> None:
    (folder.parent / "old").mkdir()
    (folder.parent / "old" / "README.md").write_text("# old (withdrawn)\n", encoding="utf-8")
    listed = write_index(folder.parent)
    assert [(line.name, line.state) for line in listed] == [(folder.name, "published"), ("old", "withdrawn")]
    for name in ("index.md", "index.html"):
        text = (folder.parent / name).read_text(encoding="utf-8")
        assert "withdrawn" in text
        assert folder.name in text


def test_the_index_shows_the_finding_and_no_folder_of_this_machine(
    folder: Path, edit_manifest: Callable[..., None]
) -> None:
    readme = folder / "README.md"
    (line,) = write_index(folder.parent)
    assert line.finding == "not written yet"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        text.replace(UNWRITTEN, "**Nothing `works`,\nand [all](x.md) fails.** More."), encoding="utf-8"
    )
    (line,) = write_index(folder.parent)
    assert line.finding == "Nothing works, and all fails."
    edit_manifest(folder, lambda manifest: manifest.update(rows="many"))
    (line,) = write_index(folder.parent)
    assert (
        line.state
        == f"damaged: {folder.name}/manifest.json is incomplete: rows is missing or has a wrong type"
    )
    assert not list(folder.parent.glob(".*"))


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("", ""),
        ("Does it help? Hardly.", "Does it help?"),
        ("By 2.5 points, on 3 of 4.\n\nMore.", "By 2.5 points, on 3 of 4."),
        ("no end " * 60, f"{('no end ' * 60)[:239]}…"),
        ("A gain of a*b and snake_case stays. Next.", "A gain of a*b and snake_case stays."),
    ],
)
def test_the_first_sentence_of_a_finding(finding: str, words: str) -> None:
    assert headline(f"# title\n{BEGIN}\n\n{finding}\n\n{END}\n") == words


def test_the_readme_lists_the_files_that_are_there(once: Path) -> None:
    text = (once / "README.md").read_text(encoding="utf-8")
    listed = {line.split("`")[1] for line in text.splitlines() if line.startswith("- `")}
    patterns = [name for name in listed if name not in ("manifest.json",)]
    files = {file.name for file in once.iterdir()} - {"README.md", "index.html", "manifest.json"}
    assert {name for name in files if any(Path(name).match(one) for one in patterns)} == files
    assert all(any(Path(name).match(one) for name in files) for one in patterns)
    manifest = json.loads((once / "manifest.json").read_bytes())
    assert f"rows {manifest['rows_sha256'][:12]})*" in text


def test_the_index_names_a_data_set_with_many_options_once() -> None:
    assert index._data(["yeast", "world[seed=1]", "world[seed=2]", "yeast"]) == "yeast, world (2 settings)"


def test_over_several_data_sets_the_folder_has_effects_and_pictures(swept: Path, once: Path) -> None:
    with (once / "effects.csv").open(encoding="utf-8") as file:
        lines = {(line["strategy"], line["metric"]): line for line in csv.DictReader(file)}
    stored = {(r["dataset"], r["strategy"], r["split"]): r["metrics"] for r in Store(swept).rows()}
    splits = {(dataset, split) for dataset, _, split in stored}
    differences = [
        stored[d, "focal", s]["scores/map"] - stored[d, "none", s]["scores/map"] for d, s in splits
    ]
    assert float(lines["focal", "map"]["mean"]) == pytest.approx(sum(differences) / len(differences))
    assert (lines["focal", "map"]["datasets"], lines["focal", "map"]["generated"]) == ("2", "2")
    assert float(lines["scut", "tuned_macro_f1"]["mean"]) == 0
    assert "![Mean differences from none: linear](effects-linear.svg)" in (once / "README.md").read_text(
        encoding="utf-8"
    )
    assert (once / "effects-linear.svg").read_bytes().startswith(b"<?xml")
