"""What a frozen encoder is, and static ones: tables of token vectors, whose average stands for a text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import file_sha256

#: Where static models keep their table and tokenizer.
_STATIC = (
    ("model.safetensors", "tokenizer.json"),
    ("0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json"),
    ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"),
)


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder.

    Attributes:
        folder: where its files are.
        max_tokens: tokens of a text that it reads, from the start; None: as many as the model is made for.
    """

    folder: Path
    max_tokens: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All that the vectors depend on."""
        raise NotImplementedError

    @property
    def dimension(self) -> int:
        """d, the numbers of a vector."""
        raise NotImplementedError

    @property
    def sha256(self) -> str:
        """Over the names and contents of the files; where the folder lies does not count."""
        parts = [f"{f.relative_to(self.folder).as_posix()} {file_sha256(f)}" for f in self.files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def recipe(self) -> str:
        """A key for stored vectors: the files, the tokens read, and the libraries, whose kernels decide the last bits."""
        from importlib.metadata import version

        libraries = [f"{name} {version(name)}" for name in ("torch", "tokenizers", *self.needs)]
        return hashlib.sha256(repr((self.sha256, self.max_tokens, libraries)).encode()).hexdigest()

    @property
    def needs(self) -> tuple[str, ...]:
        """The packages that it runs on."""
        return ("safetensors",)

    def encode(self, text: str) -> np.ndarray:
        """The vector (d,) float32 of one text. Texts go one by one, so a vector has the same bits beside any others."""
        raise NotImplementedError


class StaticEncoder(Encoder):
    """The average of the vectors of a text's tokens, from a table."""

    @property
    def files(self) -> tuple[Path, ...]:
        table, tokenizer = self._places
        config = table.parent / "config.json"
        return (table, tokenizer, *([config] if config.is_file() else []))

    @property
    def dimension(self) -> int:
        return int(self._table["vectors"].shape[1])

    def encode(self, text: str) -> np.ndarray:
        vectors, weights, mapping = (self._table.get(name) for name in ("vectors", "weights", "mapping"))
        assert vectors is not None
        tokens = [i for i in self._tokenizer.encode(text, add_special_tokens=False).ids if i != self._unknown]
        ids = np.array(tokens[: self.max_tokens], dtype=np.int64)
        if not len(ids):
            return np.zeros(vectors.shape[1], dtype=np.float32)
        rows = np.minimum(ids if mapping is None else mapping[ids], len(vectors) - 1)
        seen = vectors[rows] if weights is None else vectors[rows] * weights[ids][:, None]
        mean: np.ndarray = seen.mean(0, dtype=np.float32)
        return mean

    @cached_property
    def _places(self) -> tuple[Path, Path]:
        found = static_files(self.folder)
        assert found is not None
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        made = Tokenizer.from_file(str(self._places[1]))
        made.no_padding()
        made.no_truncation()
        return made

    @cached_property
    def _unknown(self) -> int | None:
        """The id of the token for unknown words where model2vec leaves it out; wordllama counts it."""
        token = getattr(self._tokenizer.model, "unk_token", None)
        counted = token is None or self._places[0].parent.name == "weights"
        return None if counted else self._tokenizer.token_to_id(token)

    @cached_property
    def _table(self) -> dict[str, np.ndarray]:
        from safetensors.numpy import load_file

        tensors: dict[str, Any] = load_file(self._places[0])
        table = next((tensors[name] for name in ("embeddings", "embedding.weight") if name in tensors), None)
        if table is None or table.ndim != 2:
            raise EquipoiseError(
                f"{self._places[0]} holds no table of token vectors (a matrix 'embeddings' or 'embedding.weight')"
            )
        further: dict[str, np.ndarray] = {
            name: tensors[name] for name in ("weights", "mapping") if name in tensors
        }
        return {"vectors": table.astype(np.float32), **further}


def static_files(folder: Path) -> tuple[Path, Path] | None:
    """Table and tokenizer of a static model; None where the folder holds none."""
    if read_json(folder / "config.json").get("model_type", "model2vec") != "model2vec":
        return None
    pairs = ((folder / table, folder / tokenizer) for table, tokenizer in _STATIC)
    return next((pair for pair in pairs if pair[0].is_file() and pair[1].is_file()), None)


def read_json(file: Path) -> dict[str, Any]:
    """Its content; {} where there is no such file, or no object in it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
