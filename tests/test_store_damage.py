"""Damaged stores, second writers and killed processes lose and double nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.store.rows import encode
from equipoise.store.store import Store

from .shared.stored import row


def test_a_row_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError, match="cannot hold a object"):
        Store(tmp_path).append(row(params={"lr": object()}))
    with pytest.raises(EquipoiseError, match="'done'; known: ok, failed, skipped"):
        Store(tmp_path).append(row(status="done"))
    with pytest.raises(EquipoiseError, match="row key"):
        Store(tmp_path).append(row("../../up"))
    assert not (tmp_path / "rows.jsonl").exists()


def test_half_a_line_is_passed_over_reported_and_mended_by_the_next_append(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(row("a"))
    whole = store.rows_file.read_bytes()
    for cut in (1, 10, len(encode(row("b"))) - 2):
        store.rows_file.write_bytes(whole + encode(row("b"))[:cut])
        assert list(store.statuses()) == ["a"]
        assert store.torn is not None
        assert "line 2" in store.torn
        store.append(row("c"))
        assert list(store.statuses()) == ["a", "c"]
        assert store.torn is None
    assert len((tmp_path / "rows.torn").read_bytes().splitlines()) == 3


def test_a_line_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(row("a"))
    store.rows_file.write_bytes(store.rows_file.read_bytes().rstrip(b"\n"))
    assert list(store.statuses()) == ["a"]
    store.append(row("b"))
    assert list(store.statuses()) == ["a", "b"]
    assert store.torn is None


def test_a_torn_tail_longer_than_one_read_block_is_mended(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(row("a"))
    with store.rows_file.open("ab") as handle:
        handle.write(b'{"key": "b", "labels": ["' + b"x" * 200_000)
    store.append(row("c"))
    assert list(store.statuses()) == ["a", "c"]


@pytest.mark.parametrize("damage", [b"\x00\x00\x00\n", b"{}\n", b"[1]\n", b'{"key": "x", \n', b"\xff\xfe\n"])
def test_an_unreadable_line_in_the_middle_is_named_by_file_and_line(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path)
    store.append(row("a"))
    store.rows_file.write_bytes(store.rows_file.read_bytes() + damage + encode(row("b")))
    assert [found["key"] for found in store.rows()] == ["a", "b"]
    assert store.damage is not None
    assert "rows.jsonl, line 2: not a row of this store" in store.damage
    assert "\n" not in store.damage
    store.append(row("c"))
    assert damage in store.rows_file.read_bytes(), "left in place"


def test_predictions_round_trip_bit_for_bit_and_damage_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    logits = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    store.append(row("a"), {"test_logits": logits, "test_rows": np.arange(7)})
    found = store.predictions("a")
    assert found["test_logits"].tobytes() == logits.tobytes()
    assert found["test_rows"].dtype == np.int64
    with pytest.raises(EquipoiseError, match="no predictions for row 'b'"):
        store.predictions("b")
    path = store.predictions_dir / "a.npz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(EquipoiseError, match="damaged"):
        store.predictions("a")


def test_predictions_are_on_disk_before_the_row_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)

    def full_disk(*_: object) -> None:
        assert (store.predictions_dir / "a.npz").exists()
        raise OSError("no space left on device")

    monkeypatch.setattr("equipoise.store.store.append_line", full_disk)
    with pytest.raises(OSError, match="no space"):
        store.append(row("a"), {"x": np.zeros(2)})
    assert store.rows() == []


def test_a_file_in_place_of_the_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EquipoiseError, match="is a file; a results store is a folder"):
        Store(tmp_path / "file")


def child(code: str, *args: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", textwrap.dedent(code), *args]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_writer_gets_one_clear_line_and_the_lock_nests(tmp_path: Path) -> None:
    code = """
        import sys
        from equipoise.store.store import Store
        try:
            cell = dict(dataset="letters", backbone="linear", strategy="none", split=0)
            Store(sys.argv[1]).append({"key": "other", "status": "ok", **cell})
        except ValueError as error:
            print(error)
    """
    store = Store(tmp_path)
    with store.locked():
        store.append(row("a"))
        said, _ = child(code, str(tmp_path)).communicate(timeout=60)
        assert "another run is writing to" in said
        assert said.count("\n") == 1
    said, _ = child(code, str(tmp_path)).communicate(timeout=60)
    assert said == ""
    assert list(store.statuses()) == ["a", "other"]


WRITER = """
    import sys
    import numpy as np
    from equipoise.store.store import Store
    store = Store(sys.argv[1])
    for number in range(100_000):
        key = f"{sys.argv[2]}-{number}"
        cell = dict(dataset="letters", backbone="linear", strategy="none", split=0)
        row = {"key": key, "status": "ok", **cell, "number": number, "filler": "é" * 5000}
        store.append(row, {"x": np.full(50, number)})
        print(key, flush=True)  # acknowledged
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX")
def test_kill_9_while_appending_loses_and_doubles_nothing(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for round_number, delay in enumerate((0.02, 0.05, 0.11)):
        writer = child(WRITER, str(tmp_path), str(round_number))
        assert writer.stdout is not None
        acknowledged.append(writer.stdout.readline().strip())  # it is in its loop now
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate(timeout=60)
        complete = rest[: rest.rfind("\n") + 1]
        acknowledged += complete.split()
    store = Store(tmp_path)
    keys = [found["key"] for found in store.rows()]
    assert len(keys) == len(set(keys))
    assert set(acknowledged) <= set(keys)
    assert len(keys) - len(acknowledged) <= 3  # at most the row that was being acknowledged, per kill
    for found in store.rows():
        assert (store.predictions(found["key"])["x"] == found["number"]).all()
    store.append(row("after"))
    assert list(store.statuses()) == [*keys, "after"]
