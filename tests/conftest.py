"""Fixtures and settings for all tests: data cache, one thread, reproducible hypothesis, a guard on global state.

Helpers that several files import lie in `tests/shared`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

# Before torch or BLAS can load: the bits of a result depend on the number of threads.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# A shell starts what runs in its background deaf to Ctrl-C, and children inherit that; some tests are about Ctrl-C.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402
import rich.style  # noqa: E402, F401 - draws a random id when it is imported, which is no test's doing
from hypothesis import HealthCheck, settings  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "equipoise",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("equipoise")


def _find_data() -> Path | None:
    """The download cache: $EQUIPOISE_DATA, else `shared/data` beside the checkout."""
    candidates = [os.environ.get("EQUIPOISE_DATA", ""), str(ROOT.parent / "shared" / "data")]
    return next((Path(c).resolve() for c in candidates if c and Path(c).is_dir()), None)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; tests that use it are skipped if it does not exist."""
    found = _find_data()
    if found is None:
        pytest.skip("no data cache: set EQUIPOISE_DATA or put one at ../shared/data")
    return found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, migrated once: the migration takes seconds."""
    from equipoise.tracking.database import create_database, quiet

    folder = tmp_path_factory.mktemp("template")
    with quiet():
        create_database(folder / "mlflow.db", folder / "mlartifacts")
    return folder / "mlflow.db"


@pytest.fixture
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins that a test loads are removed after it."""
    monkeypatch.setattr("equipoise.catalog.registry._REGISTRIES", {})


@pytest.fixture
def without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow is turned off; it has its own tests."""
    monkeypatch.setattr("equipoise.sweep.run.MlflowWriter", Mock())


#: The words that the random models of tests know.
WORDS = ("server", "database", "layout", "colour", "deadline", "budget")


@pytest.fixture
def word_level() -> Callable[[Path], None]:
    """Puts a tokenizer of whole words into a folder."""
    tokenizers = pytest.importorskip("tokenizers")

    def put(folder: Path) -> None:
        vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
        made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
        made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        folder.mkdir(parents=True, exist_ok=True)
        made.save(str(folder / "tokenizer.json"))

    return put


@pytest.fixture
def tiny_bert(word_level: Callable[[Path], None]) -> Callable[[Path], Path]:
    """Puts a random BERT of two layers and 32 hidden units into a folder."""
    transformers = pytest.importorskip("transformers")
    import torch

    def put(folder: Path) -> Path:
        word_level(folder)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        config = transformers.BertConfig(vocab_size=10, max_position_embeddings=40, **sizes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
        tokens = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        settings = tokens | {"tokenizer_class": "PreTrainedTokenizerFast"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        return folder

    return put


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs on up to four CPUs; named files or tests run in this process."""
    named = any(not Path(arg).is_dir() for arg in config.args)
    return 0 if named else min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give the markers `needs_data` and `gpu` their meaning."""
    if item.get_closest_marker("needs_data") and _find_data() is None:
        pytest.skip("no data cache: set EQUIPOISE_DATA or put one at ../shared/data")
    if item.get_closest_marker("gpu"):
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


def _global_state() -> dict[str, Any]:
    """The state of the global random generators of those libraries that are already loaded."""
    state: dict[str, Any] = {"random": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        name, keys, *rest = numpy.random.get_state()
        state["numpy.random"] = (name, keys.tobytes(), *rest)
    if hasattr(torch := sys.modules.get("torch"), "get_rng_state"):
        state["torch"] = torch.get_rng_state().numpy().tobytes()
    return state


@pytest.fixture(autouse=True)
def _global_generators_untouched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing in equipoise draws from, or seeds, a global generator (DESIGN: seeds derive from the role)."""
    before = _global_state()
    yield
    after = _global_state()
    moved = [name for name, state in before.items() if after[name] != state]
    if moved and not request.node.get_closest_marker("global_rng"):
        pytest.fail(
            f"global generator used: {', '.join(moved)}; draw from the hook's own stream", pytrace=False
        )
