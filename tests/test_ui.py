"""`equipoise ui`: the server it starts, the input it rejects, and that no process is left running."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from equipoise.core.errors import EquipoiseError
from equipoise.store.store import Store
from equipoise.tracking import server
from equipoise.tracking.database import create_database, quiet

from .shared import tracked
from .shared.summarized import rows

store = tracked.store


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "my store"
    made.mkdir()
    (made / "mlflow.db").touch()
    return made


def test_the_command_serves_this_store_and_no_other(folder: Path) -> None:
    said = server.command(folder, "127.0.0.1", 5055)
    assert said[:4] == [sys.executable, "-m", "mlflow", "server"]
    options = dict(zip(said[4::2], said[5::2], strict=True))
    assert options["--backend-store-uri"] == f"sqlite:///{folder.as_posix()}/mlflow.db"
    assert options["--default-artifact-root"] == (folder / "mlartifacts").as_uri()
    assert (options["--host"], options["--port"], options["--workers"]) == ("127.0.0.1", "5055", "1")


def test_a_relative_store_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert server.command("my store", "h", 1) == server.command(folder, "h", 1)


def test_the_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    made = server.environment()
    assert made["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert made["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert made["PATH"] == before["PATH"]
    assert dict(os.environ) == before
    assert server.environment({"A": "b"})["A"] == "b"


def test_no_database_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError, match=r"no MLflow database in .*; `equipoise run"):
        server.serve(tmp_path / "none", "127.0.0.1", free_port())
    (tmp_path / "rows.jsonl").touch()
    with pytest.raises(EquipoiseError, match="only rows"):
        server.serve(tmp_path, "127.0.0.1", free_port())


def test_a_taken_port_is_one_clear_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            EquipoiseError, match=f"cannot listen on 127.0.0.1:{port} .*choose another --port"
        ):
            server.check(folder, "127.0.0.1", port)
    server.check(folder, "127.0.0.1", port)  # free again


@pytest.mark.parametrize(
    ("host", "port"), [("no such host.invalid", 5000), ("127.0.0.1", 0), ("127.0.0.1", 70000)]
)
def test_a_place_that_is_none_is_refused(folder: Path, host: str, port: int) -> None:
    with pytest.raises(EquipoiseError) as caught:
        server.check(folder, host, port)
    assert "\n" not in str(caught.value)


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
def test_leaving_ends_the_server_and_its_children(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    monkeypatch.setattr(server, "command", lambda *_: [sys.executable, "-c", code])
    with server.started(folder, "127.0.0.1", free_port()) as process:
        assert alive(process.pid)
    assert process.returncode is not None
    deadline = time.monotonic() + 5
    while alive(process.pid) and time.monotonic() < deadline:  # the child is reaped by init
        time.sleep(0.05)
    assert not alive(process.pid)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_quietly(folder: Path, stop: signal.Signals) -> None:
    code = (
        "import sys; from equipoise.tracking import server;"
        "server.command = lambda *_: [sys.executable, '-c', 'import time; time.sleep(60)'];"
        f"sys.exit(server.serve({str(folder)!r}, '127.0.0.1', {free_port()}))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("MLflow on http://127.0.0.1:")
    child.send_signal(stop)
    _, errors = child.communicate(timeout=20)
    assert child.returncode == 0
    assert errors == ""


def test_the_pages_of_the_runs_are_named(folder: Path, tmp_path: Path) -> None:
    assert server.pages(folder) == []  # an empty file is no database, and no reason to fail here
    with quiet():
        create_database(tmp_path / "mlflow.db", tmp_path / "mlartifacts")
        from mlflow import MlflowClient

        number = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").create_experiment("letters (generated)")
    page = f"#/experiments/{number}/runs?workflowType=machine_learning"
    assert server.pages(tmp_path) == [("letters (generated)", page)]


@pytest.mark.slow
def test_the_pages_come_up_and_go_away(tmp_path: Path) -> None:
    with quiet():
        create_database(tmp_path / "mlflow.db", tmp_path / "mlartifacts")
    port = free_port()
    with server.started(tmp_path, "127.0.0.1", port) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                    assert b"MLflow" in page.read()
                    break
            except OSError:
                time.sleep(0.3)
        else:
            pytest.fail("the server did not answer")
    server.check(tmp_path, "127.0.0.1", port)  # the port is free again


@pytest.mark.slow
def test_ui_first_brings_the_view_up_to_date_unless_a_sweep_does(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for row in rows(splits=3):
        store.append(row)
    with store.locked():
        server.refresh(store.path)
        assert server.pages(store.path) == []
    server.refresh(store.path)
    ((name, page),) = server.pages(store.path)
    assert name == "letters (generated)"
    assert page.startswith("#/experiments/1/runs?viewStateShareKey=who-won&")
    assert capsys.readouterr().out.startswith("updating the MLflow view")
    server.refresh(store.path)
    assert capsys.readouterr().out == "", "nothing was left to write"


def test_a_browser_is_opened_on_a_desktop_only_and_when_the_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(server.webbrowser, "open", opened.append)
    with (
        socket.socket() as listening,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as process,
    ):
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server.open_when_ready("127.0.0.1", listening.getsockname()[1], "the page", process)
        process.communicate(b"\n")
    server.open_when_ready("127.0.0.1", 1, "a page of a server that has ended", process)
    assert opened == ["the page"]
    assert not server.has_browser(), "no terminal"
