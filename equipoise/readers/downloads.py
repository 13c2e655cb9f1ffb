"""The download cache: `<data_dir>/<dataset>/<file>`, every file pinned to a URL and a sha256.

A cached file is checked and never modified: if its content differs from the pin, that is reported and the file is not
replaced, because it may be the user's own.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from equipoise.core.errors import EquipoiseError
from equipoise.core.paths import user_path

ENVIRONMENT = "EQUIPOISE_DATA"
_DOWNLOADS = ContextVar("downloads", default=True)


@dataclass(frozen=True)
class Pin:
    """One file of a data set with its URL and sha256. If sha256 is None, the caller must check the content itself."""

    dataset: str
    file: str
    url: str
    sha256: str | None

    def path(self, data_dir: Path) -> Path:
        """The file's path in the cache, whether it exists or not."""
        return data_dir / self.dataset / self.file


def default_data_dir() -> Path:
    """The folder $EQUIPOISE_DATA, or else the platform's cache folder for applications."""
    if chosen := os.environ.get(ENVIRONMENT):
        return user_path(chosen)
    import pooch

    return Path(pooch.os_cache("equipoise"))


@contextmanager
def data_folder(folder: Path | None) -> Iterator[None]:
    """Make a folder the default of this process and of those that it starts; None leaves it as it is."""
    before = os.environ.get(ENVIRONMENT)
    if folder is not None:
        os.environ[ENVIRONMENT] = str(folder.expanduser().absolute())
    try:
        yield
    finally:
        if before is not None:
            os.environ[ENVIRONMENT] = before
        elif folder is not None:
            os.environ.pop(ENVIRONMENT, None)


@contextmanager
def no_downloads() -> Iterator[None]:
    """Read what is in the cache and download nothing: what is missing raises EquipoiseError."""
    token = _DOWNLOADS.set(False)
    try:
        yield
    finally:
        _DOWNLOADS.reset(token)


def require_downloads(what: str) -> None:
    """Raise EquipoiseError inside `no_downloads`."""
    if not _DOWNLOADS.get():
        raise EquipoiseError(f"{what} may not be downloaded here")


def present(pin: Pin, data_dir: Path) -> bool:
    """Whether the file exists in the cache; its content is not checked."""
    return pin.path(data_dir).exists()


def fetch(pin: Pin, data_dir: Path) -> Path:
    """Download the file if it is missing, check it, and return its path.

    Raises:
        EquipoiseError: the file cannot be downloaded (the message says which file to put where), or the cached file
            or the download does not have the pinned sha256. Nothing is deleted or overwritten.
    """
    path = pin.path(data_dir)
    if not path.exists():
        _download(pin, path)
    elif not path.is_file():
        raise EquipoiseError(f"{path} should be a file of dataset {pin.dataset!r}, but is a folder")
    _check(pin, path)
    return path


def _check(pin: Pin, path: Path) -> None:
    try:
        actual = file_sha256(path)
    except OSError as problem:
        raise EquipoiseError(f"cannot read {path}: {problem.strerror}") from None
    if pin.sha256 is not None and actual != pin.sha256:
        raise EquipoiseError(
            f"{path} is damaged or another version: expected sha256 {pin.sha256}, found {actual}; "
            f"delete it to have it downloaded again from {pin.url}"
        )


def file_sha256(path: Path) -> str:
    """The hash of a file's content, which is computed again only after the file has changed.

    Raises:
        OSError: it cannot be read.
    """
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed: int) -> str:
    """The hash of a file. Size and modification time are part of the cache's key: a changed file is hashed again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(pin: Pin, path: Path) -> None:
    """Download with pooch, which writes to a temporary file, checks the hash, and then renames it to its final name."""
    require_downloads(str(path))
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # pooch announces every download on stderr otherwise
    try:
        pooch.retrieve(
            url=pin.url,
            known_hash=None if pin.sha256 is None else f"sha256:{pin.sha256}",
            fname=pin.file,
            path=path.parent,
            downloader=pooch.HTTPDownloader(timeout=30),
        )
    except Exception as problem:  # requests, urllib3, ssl and OS errors, which share no base class
        raise EquipoiseError(_instructions(pin, path, problem)) from None


def _instructions(pin: Pin, path: Path, problem: Exception) -> str:
    """The error message of a failed download: why it failed, and how to provide the file by hand."""
    check = f" with sha256 {pin.sha256}" if pin.sha256 else ""
    # pooch raises a plain ValueError for a wrong hash, so only its message tells it from other errors.
    if isinstance(problem, ValueError) and "hash" in str(problem):
        reason = f"{pin.url} now serves another file"
    else:
        reason = f"downloading it from {pin.url} failed ({type(problem).__name__})"
    return (
        f"dataset {pin.dataset!r} needs {path}, and {reason}; put that file there{check}, "
        f"or choose another folder with --data-dir or {ENVIRONMENT}"
    )
