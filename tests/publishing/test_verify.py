"""`equipoise verify`: equal cells, edited rows, other machines, changed code, and damaged folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equipoise.publishing.verification import TOLERANCE

Say = Callable[..., Any]
Edit = Callable[..., None]


def test_an_honest_folder_is_verified_to_the_bit(say: Say, folder: Path) -> None:
    said = say("verify", folder.name, "--sample", "3", "--seed", "4")
    assert said.code == 0, said
    assert said.out.count("to the bit") == 3
    assert "3 of 12 finished cells, drawn at random with seed 4" in said.out
    assert "verified: 3 of 3 cells confirmed" in said.out


def test_one_metric_changed_by_a_thousandth_is_found(say: Say, folder: Path, forge: Edit) -> None:
    def better(row: dict[str, Any]) -> None:
        row["metrics"]["scores/map"] += 1e-3

    forge(folder, better)
    said = say("verify", folder.name, "--sample", "1")
    assert said.code == 1
    assert "different" in said.out
    assert "scores/map by 0.001 at most" in said.out
    assert "NOT verified" in said.out


def test_a_changed_label_is_found(say: Say, folder: Path, forge: Edit) -> None:
    def better(row: dict[str, Any]) -> None:
        row["per_label"]["tuned/f1"][0] = 0.123456

    forge(folder, better)
    said = say("verify", folder.name, "--sample", "1")
    assert said.code == 1
    assert "other per_label" in said.out


@pytest.mark.parametrize(("gain", "code"), [(TOLERANCE / 2, 0), (TOLERANCE * 2, 1)])
def test_on_another_cpu_a_tolerance_holds(
    gain: float, code: int, say: Say, folder: Path, forge: Edit
) -> None:
    def elsewhere(row: dict[str, Any]) -> None:
        row["cpu"] = "AVX2048"
        row["metrics"]["tuned/macro_f1"] += gain

    forge(folder, elsewhere)
    said = say("verify", folder.name, "--sample", "1", "--json")
    assert said.code == code
    (cell,) = json.loads(said.out)["cells"]
    assert cell["outcome"] == ("different" if code else "within")
    assert cell["metric"] == "tuned/macro_f1"
    assert cell["largest"] == pytest.approx(gain)
    assert cell["changed"][0].startswith("CPU capability AVX2048 → ")


def test_what_changed_since_is_named(say: Say, folder: Path, forge: Edit) -> None:
    def earlier(row: dict[str, Any]) -> None:
        engine, *rest = row["code"].split("/")
        row |= {"key": row["key"][::-1], "code": "/".join(["0" * len(engine), *rest])}
        row["versions"]["torch"] = "1.0"

    forge(folder, earlier)
    said = say("verify", folder.name, "--sample", "1", "--json")
    (cell,) = json.loads(said.out)["cells"]
    assert said.code == 0
    assert cell["outcome"] == "within"
    assert cell["largest"] == 0
    assert cell["changed"][0] == "engine"
    assert cell["changed"][1].startswith("torch 1.0 → ")


def test_other_data_and_missing_data_are_one_line_each(say: Say, folder: Path, forge: Edit) -> None:
    forge(folder, lambda row: row.update(dataset_sha256="0" * 64))
    said = say("verify", folder.name, "--sample", "1")
    assert said.code == 1
    assert "has another content" in said.out
    forge(folder, lambda row: row.update(dataset="./gone.csv"))
    said = say("verify", folder.name, "--sample", "2")
    assert said.code == 1
    assert said.out.count("not recomputed") == 2
    assert "gone.csv" in said.out


def test_cells_can_be_chosen_by_key_and_by_time(say: Say, folder: Path, forge: Edit) -> None:
    forge(folder, lambda row: row["cost"].update(seconds_total=50.0 if row["split"] else 1.0))
    said = say("verify", folder.name, "--sample", "1", "--max-seconds", "2")
    assert said.code == 0
    assert "1 of 6 finished cells that took at most 2 s" in said.out
    assert say("verify", folder.name, "--max-seconds", "0.5").code == 2
    unknown = say("verify", folder.name, "--cell", "nothing")
    assert unknown.code == 2
    assert "no finished cell has the key 'nothing'" in unknown.err


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_remove("manifest.json"), "has no manifest.json"),
        (_write("manifest.json", b"{"), "it is not JSON"),
        (_write("manifest.json", b'{"a": 1}'), "no schema version"),
        (_write("manifest.json", b'{"schema": 99}'), "has schema 99"),
        (_write("manifest.json", b'{"schema": 1}'), "incomplete: name is missing"),
        (_remove("rows.jsonl.gz"), "rows.jsonl.gz is missing"),
        (_remove("means.csv"), "means.csv is missing"),
        (_write("rows.jsonl.gz", b"\x1f\x8b\x08"), "was changed after it was published"),
        (_write("means.csv", b"a,b\n"), "was changed after it was published"),
        (_write("more.csv", b""), "which its manifest does not name"),
        (_write("README.md", b"# another\n"), "was changed outside its finding"),
        (shutil.rmtree, "no folder"),
    ],
)
def test_a_damaged_folder_is_one_line(
    damage: Callable[[Path], object], words: str, say: Say, folder: Path
) -> None:
    damage(folder)
    said = say("verify", folder.name)
    assert (said.code, said.err.count("\n")) == (2, 1), said
    assert words in said.err


def test_rows_that_do_not_fit_the_manifest_are_found(say: Say, folder: Path, edit_manifest: Edit) -> None:
    edit_manifest(folder, lambda manifest: manifest.update(rows_sha256="0" * 64))
    said = say("verify", folder.name)
    assert said.code == 2
    assert "does not hold the rows" in said.err


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_manifest_names_no_file_outside(name: str, say: Say, folder: Path, edit_manifest: Edit) -> None:
    edit_manifest(folder, lambda manifest: manifest["files"].update({name: "0" * 64}))
    said = say("verify", folder.name)
    assert said.code == 2
    assert "outside the folder" in said.err
