"""`equipoise worker`: what it refuses, what it says when it cannot listen, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from equipoise.cli import worker as command
from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import ENVIRONMENT


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that accepts connections, as a scheduler does, and answers nothing."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def start(command: str, folder: Path, *args: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "equipoise", "worker", command, *args]
    env = {"TMPDIR": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(
        program, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def worker(address: str = "tcp://127.0.0.1:1", **options: object) -> None:
    none = dict.fromkeys(("host", "port", "data_dir", "tls_ca", "tls_cert", "tls_key"))
    command.worker(address, **{"workers": 1, **none, **options})  # type: ignore[arg-type]


def test_what_no_machine_can_do_is_one_line() -> None:
    with pytest.raises(EquipoiseError, match="--workers must be 1024 or fewer, got 99999"):
        worker(workers=99_999)
    with pytest.raises(EquipoiseError, match="2 workers from port 65535 need one each up to 65536"):
        worker(workers=2, port=65_535)


def test_the_folder_of_data_may_start_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(ENVIRONMENT, "")
    monkeypatch.setattr(command.Supervisor, "run", lambda self: found.append(os.environ[ENVIRONMENT]))
    worker(data_dir=Path("~/data"))
    assert found == [str(tmp_path / "data")]


def test_a_port_that_is_taken_is_named(listener: socket.socket, tmp_path: Path) -> None:
    port = str(listener.getsockname()[1])
    process = start(f"tcp://127.0.0.1:{port}", tmp_path, "--host", "127.0.0.1", "--port", port)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        assert "Address already in use" in "".join(lines), lines
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_second_sigterm_leaves_no_copies_of_data(listener: socket.socket, tmp_path: Path) -> None:
    process = start(f"tcp://127.0.0.1:{listener.getsockname()[1]}", tmp_path)
    assert process.stdout is not None
    assert "working for" in process.stdout.readline()
    time.sleep(0.5)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    rest, _ = process.communicate(timeout=60)
    assert "Traceback" not in rest
    assert list(tmp_path.glob("equipoise-worker-*")) == []
