"""The download cache verifies files, never overwrites them, and reports what is missing. No test uses the network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from equipoise.catalog.datasets import load_dataset
from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import ENVIRONMENT, Pin, default_data_dir, fetch

CONTENT = b"what was pinned"
SHA = hashlib.sha256(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9/data.bin"  # the discard port: refused at once


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a line per request."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine with one good and one changed file."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "data.bin").write_bytes(CONTENT)
    (folder / "changed.bin").write_bytes(b"something else")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_missing_file_is_downloaded_once(site: str, tmp_path: Path) -> None:
    path = fetch(Pin("toy", "data.bin", f"{site}/data.bin", SHA), tmp_path / "cache")
    assert path == tmp_path / "cache" / "toy" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert fetch(Pin("toy", "data.bin", NOWHERE, SHA), tmp_path / "cache") == path


@pytest.mark.parametrize("where", ["refused", "not found"])
def test_offline_says_what_to_put_where(where: str, site: str, tmp_path: Path) -> None:
    url = NOWHERE if where == "refused" else f"{site}/none.bin"
    message = failure(Pin("toy", "data.bin", url, SHA), tmp_path / "cache")
    for part in ("'toy'", str(tmp_path / "cache" / "toy" / "data.bin"), url, SHA, "--data-dir", ENVIRONMENT):
        assert part in message


def test_a_changed_download_is_not_kept(site: str, tmp_path: Path) -> None:
    message = failure(Pin("toy", "data.bin", f"{site}/changed.bin", SHA), tmp_path / "cache")
    assert "now serves another file" in message
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_damaged_file_is_reported_and_left_alone(site: str, tmp_path: Path) -> None:
    path = tmp_path / "toy" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    message = failure(Pin("toy", "data.bin", f"{site}/data.bin", SHA), tmp_path)
    for part in (str(path), SHA, hashlib.sha256(b"damaged").hexdigest(), "delete it"):
        assert part in message
    assert path.read_bytes() == b"damaged"


def test_a_file_that_changes_later_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "toy" / "data.bin"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    pin = Pin("toy", "data.bin", NOWHERE, SHA)
    fetch(pin, tmp_path)
    path.write_bytes(CONTENT + b"!")
    assert "damaged" in failure(pin, tmp_path)


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "toy" / "data.bin").mkdir(parents=True)
    assert "is a folder" in failure(Pin("toy", "data.bin", NOWHERE, SHA), tmp_path)


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "put that file there" in failure(Pin("toy", "data.bin", NOWHERE, SHA), tmp_path / "file")


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert default_data_dir() == tmp_path
    monkeypatch.delenv(ENVIRONMENT)
    assert "equipoise" in default_data_dir().name.lower()


def test_a_damaged_dataset_in_the_cache(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "flags"
    folder.mkdir()
    for file in (data_dir / "flags").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "flags.xml").write_text("<labels/>")
    with pytest.raises(EquipoiseError, match=r"flags\.xml is damaged or another version"):
        load_dataset("flags", data_dir=tmp_path)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(EquipoiseError) as caught:
        load_dataset("yaest", data_dir=tmp_path)
    assert "unknown dataset 'yaest'; did you mean 'yeast'" in str(caught.value)
    with pytest.raises(EquipoiseError, match="cannot read"):
        load_dataset("yeast[rows", data_dir=tmp_path)
    with pytest.raises(EquipoiseError, match=r"unknown option of dataset 'yeast': 'rows'"):
        load_dataset("yeast[rows=3]", data_dir=tmp_path)


def failure(pin: Pin, data_dir: Path) -> str:
    with pytest.raises(EquipoiseError) as caught:
        fetch(pin, data_dir)
    assert "\n" not in str(caught.value)
    return str(caught.value)
