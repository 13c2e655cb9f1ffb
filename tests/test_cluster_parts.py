"""The parts of a cluster that need no process: addresses, refusals, packing, and who has which cells."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import scipy.sparse

from equipoise.api import run
from equipoise.cli.options import cluster_of
from equipoise.cluster import address as addresses
from equipoise.cluster import packing, remote
from equipoise.cluster.address import Address
from equipoise.cluster.assignments import DEATHS, Assignments
from equipoise.cluster.identity import Identity, identity, refusal
from equipoise.contracts.dataset import Dataset
from equipoise.core.errors import EquipoiseError
from equipoise.experiment.cell import Cell
from equipoise.experiment.settings import Settings
from equipoise.sweep.plan import make_plan
from equipoise.sweep.suite import Block, Suite


@pytest.mark.parametrize(
    "wrong",
    ["", "127.0.0.1:8786", "http://a:1", "tcp://a", "tcp://a:0", "tcp://a:70000", "tcp://a b:1", "tcp://:1"],
)
def test_an_address_names_host_and_port(wrong: str) -> None:
    with pytest.raises(EquipoiseError, match=r"a cluster is tcp://HOST:PORT \(or tls://HOST:PORT\)"):
        Address(wrong)


def test_parts_of_an_address() -> None:
    assert (Address("tcp://node-3.local:8786").host, Address("tcp://[::1]:80").host) == (
        "node-3.local",
        "::1",
    )
    assert Address("tcp://[::1]:80").port == 80


def test_tls_needs_all_its_files(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    for url, files in (("tls://a:1", ()), ("tcp://a:1", (file, file, file)), ("tls://a:1", (file, file))):
        with pytest.raises(EquipoiseError, match="tls:// goes with all of --tls-ca, --tls-cert, --tls-key"):
            Address(url, *files)
    with pytest.raises(EquipoiseError, match="--tls-key: no file at"):
        Address("tls://a:1", file, file, tmp_path / "nothing")
    assert Address("tls://8.8.8.8:1", file, file, file).warning() is None


def test_a_public_address_is_warned_of() -> None:
    assert "is a public address" in (Address("tcp://8.8.8.8:8786").warning() or "")
    for private in ("127.0.0.1", "192.168.1.10", "10.0.0.1", "[::1]", "laptop"):
        assert Address(f"tcp://{private}:8786").warning() is None


def test_without_dask_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(EquipoiseError, match=r"pip install 'equipoise\[cluster\]'"):
        addresses.distributed()


def test_what_differs_is_refused_by_name() -> None:
    here = Identity({"engine": "a", "metrics": "m"}, {"torch": "2.13.0", "CPU capability": "AVX2"}, False)
    other = Identity(here.code, {"torch": "2.12.0", "CPU capability": "AVX512"}, True)

    def why(worker: Identity, cuda: bool = False, mixed: bool = False) -> str | None:
        return refusal(here, worker, cuda=cuda, allow_mixed=mixed)

    assert why(here) is None
    assert why(here, cuda=True) == "it has no CUDA device"
    assert why(other, cuda=True, mixed=True) is None
    assert (why(other) or "").startswith(
        "torch 2.12.0 instead of 2.13.0, CPU capability AVX512 instead of AVX2; "
    )
    code = Identity({"engine": "b", "metrics": "m"}, here.machine, False)
    for mixed in (False, True):
        assert "other code of equipoise: engine b instead of a" in (why(code, mixed=mixed) or "")
    assert refusal(identity(), identity(), cuda=False, allow_mixed=False) is None


def datasets() -> list[Dataset]:
    rng = np.random.default_rng(0)
    Y = rng.random((50, 3)) < 0.5
    dense = rng.normal(size=(50, 8)).astype(np.float32)
    sparse = scipy.sparse.random(50, 30, 0.2, "csr", np.float32, rng)
    texts = np.array(["naïve \ud800 text"] * 50, dtype=object)
    return [
        Dataset("dense", dense, Y, ("a", "b", "c"), nominal=np.arange(8) < 2),
        Dataset("sparse", sparse, Y, ("a", "b", "c"), official=np.repeat([0, 2], 25)),
        Dataset("texts", texts, Y, ("a", "b", "c")),
    ]


@pytest.mark.parametrize("data", datasets(), ids=lambda d: d.name)
def test_a_data_set_arrives_as_it_was(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "CHUNK", 100)
    before = packing.digest(data)
    chunks = list(packing.packed(data))
    assert max(len(chunk) for chunk in chunks) <= 100
    file = tmp_path / "data"
    file.write_bytes(b"".join(chunks))
    back = packing.unpacked(file)
    assert "sha256" not in vars(back), "computed from what has arrived"
    assert packing.digest(back) == before
    assert (back.name, back.labels, back.kind) == (data.name, data.labels, data.kind)
    assert back.Y.flags.writeable
    file.write_bytes(b"".join(chunks)[:-1])
    with pytest.raises(EOFError, match="is incomplete"):
        packing.unpacked(file)


def test_the_split_and_the_coded_columns_count_in_a_digest() -> None:
    dense = datasets()[0]
    plain = Dataset("x", dense.X, dense.Y, dense.labels)
    official = Dataset("x", dense.X, dense.Y, dense.labels, official=np.repeat([0, 2], 25))
    assert len({packing.digest(d) for d in (dense, plain, official)}) == 3
    assert len({d.sha256 for d in (dense, plain, official)}) == 1


def test_a_plugin_is_written_where_its_earlier_version_was(tmp_path: Path) -> None:
    sources = {"mine.py": b"import pack\n", "pack/__init__.py": b"", "pack/inner.py": b"X = 1\n"}
    file = packing.write_plugin(tmp_path, "/far/away/mine.py", sources)
    assert file.name == "mine.py"
    assert (file.parent / "pack" / "inner.py").read_bytes() == b"X = 1\n"
    time = file.stat().st_mtime_ns
    assert packing.write_plugin(tmp_path, "/far/away/mine.py", sources) == file
    assert file.stat().st_mtime_ns == time
    assert packing.write_plugin(tmp_path, "/elsewhere/mine.py", sources) != file


def cells(number: int) -> list[Cell]:
    return [Cell("d", "", "linear", "none", split, 0, Settings(), "cpu", "") for split in range(number)]


def in_a_loop(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work(), 10))


def test_every_cell_is_with_one_worker_until_it_is_finished() -> None:
    async def work() -> None:
        plan = cells(6)
        held = Assignments(plan)
        held.divide(2)
        a, b = await held.take("a"), await held.take("b")
        assert not set(a) & set(b)
        held.divide(4)  # two more workers have come; what is out stays out
        for cell in a:
            assert held.finish(cell.key) is cell
            assert held.finish(cell.key) is None
        held.done("a")
        held.back("b")
        seen = {cell.key for cell in a}
        while len(seen) < 6:
            seen |= {cell.key for cell in await held.take("c")}
            held.done("c")
        assert seen == {cell.key for cell in plan}

    in_a_loop(work)


def test_a_dead_worker_s_cells_come_back_one_by_one_and_at_last_fail() -> None:
    async def work() -> None:
        held = Assignments(cells(2))
        held._waiting.put_nowait(tuple(held.left.values()))
        both = await held.take("a")
        assert len(both) == 2
        assert held.died("a") == []
        (good,), (bad,) = await held.take("b"), await held.take("c")
        assert {good, bad} == set(both)
        assert held.finish(good.key) is good
        held.done("b")
        for _ in range(DEATHS - 2):
            assert held.died("c") == []
            assert await held.take("c") == (bad,)
        ((cell, (row, arrays)),) = held.died("c")
        assert (cell, row["status"], arrays, held.left) == (bad, "failed", None, {})
        assert "the worker process died, three times" in row["error"]

    in_a_loop(work)


def test_with_another_scheduler_all_cells_wait_again_and_nobody_is_to_blame() -> None:
    async def work() -> None:
        held = Assignments(cells(3))
        held.divide(3)
        first = await held.take("a")
        held.finish(first[0].key)
        await held.take("b")
        held.all_back()
        held.divide(1)
        again = [cell for _ in range(2) for cell in await held.take("c")]
        assert {cell.key for cell in again} == set(held.left)
        assert held._attempts.suspects() == []

    in_a_loop(work)


def test_a_worker_without_the_file_of_a_strategy_refuses_its_cells(tmp_path: Path) -> None:
    data = datasets()[0]
    file = tmp_path / "more.csv"
    columns = ",".join(f"c{i}" for i in range(8))
    file.write_text(f"parent,{columns}\n3,{','.join('12345678')}\n", encoding="utf-8")
    named = Dataset("dense", data.X, data.Y, data.labels, features=tuple(columns.split(",")))
    block = Block(("dense",), ("linear",), (f"external_rows[file='{file}']",), Settings(), splits=1)
    plan = make_plan(Suite("s", "", (block,)), data={"dense": named}, device="cpu")
    assert len(plan.cells) == 1
    remote.require_code_and_files(plan.cells)
    file.unlink()
    with pytest.raises(EquipoiseError, match=r"there is no file .*more\.csv of external rows here"):
        remote.require_code_and_files(plan.cells)


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(EquipoiseError, match="--allow-mixed and the options of TLS go with --cluster"):
        cluster_of(None, True, None, None, None)
    assert cluster_of(None, False, None, None, None) is None
    with pytest.raises(EquipoiseError, match="workers are processes on this machine: give them, or cluster"):
        run("quick", workers=4, cluster=Mock())
