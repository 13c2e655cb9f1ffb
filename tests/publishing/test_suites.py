"""The suites whose results are published: what they must cover, and that they stay as they are."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from importlib import resources
from pathlib import Path

import pytest

from equipoise.catalog.specs import parse
from equipoise.catalog.strategies import clash_warnings, get_strategy
from equipoise.publishing.folder import read_folder
from equipoise.publishing.index import write_index
from equipoise.sweep.suite import Suite, load_suite

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
#: Suites whose results are published, and the sha256 of their files. They never change; another suite gets another name.
FROZEN = {
    "quick": "cc0be259d0db72be135b0daa9051fa95302d07de461c1bcf3b403682d7416742",
    "leaderboard-2026-11": "3f6b0815bd07409ed6a0b3071cfbc52fc672b444c24a09b64ae4326a21b2c2fd",
    "emails-2026-12": "214ac8c8a3792af786e0e9ab89649ce79de0225538bf83614a21a31690cdd5eb",
    "regimes-clean-2026-11": "aa8cdc4c5676ef768d2db06503e13288976c85957b3250468aa45ff6a0ad4996",
    "regimes-2026-11": "0e0bcbc6b2bbd805f7a84c571792a737f777cc080b44c04129cad992214c428a",
}
TEXTS = {"design-emails", "enron-email", "reuters-21578", "goemotions"}


def _blocks(suite: Suite, backbone: str) -> set[str]:
    """The data sets that a suite runs with a backbone."""
    return {d for b in suite.blocks for d in b.datasets if any(parse(s)[0] == backbone for s in b.backbones)}


def test_published_suites_are_frozen() -> None:
    commands = [
        line.split()
        for file in PUBLISHED.glob("*/manifest.json")
        for line in json.loads(file.read_bytes())["commands"]
    ]
    named = {words[2] for words in commands if words[1] == "run" and not words[2].startswith("-")}
    assert named == set(FROZEN), "FROZEN must hold exactly the suites whose results are published"
    for name, expected in FROZEN.items():
        content = (resources.files("equipoise.suites") / f"{name}.toml").read_bytes()
        assert sha256(content).hexdigest() == expected, f"results of {name} are published: write a new suite"


def test_committed_folders_are_whole_and_the_index_is_up_to_date(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(PUBLISHED, tmp_path / "published"))
    listed = write_index(copy)
    for name in ("index.md", "index.html"):
        assert (copy / name).read_bytes() == (PUBLISHED / name).read_bytes(), "publish a folder again"
    assert {line.name: line.state for line in listed}["emails-2026-11"] == "withdrawn"
    for file in PUBLISHED.glob("*/manifest.json"):
        read_folder(file.parent).whole()


def test_the_leaderboard_covers_what_it_promises() -> None:
    suite = load_suite("leaderboard-2026-11")
    linear = _blocks(suite, "linear")
    assert sum(parse(name)[0] in TEXTS for name in linear) >= 5
    assert sum(parse(name)[0] not in TEXTS for name in linear) >= 6
    assert len(_blocks(suite, "mlp")) >= 12
    assert len(_blocks(suite, "lstm") & TEXTS) == 4
    assert len(_blocks(suite, "sentence_embedding")) >= 5
    assert _blocks(suite, "logistic_regression")
    assert all(b.splits >= 5 and "none" in b.strategies for b in suite.blocks)


def test_the_page_of_first_effects_says_what_the_leaderboard_supersedes() -> None:
    """It names `none` alone: no other strategy of its tables is in the leaderboard."""
    page = (PUBLISHED.parents[1] / "docs" / "effects.md").read_text(encoding="utf-8")
    tabled = {
        line.split("|")[2].strip(" `") for line in page.splitlines() if line.startswith("| ") and "`" in line
    }
    assert len(tabled) > 15
    ranked = {get_strategy(s).spec for b in load_suite("leaderboard-2026-11").blocks for s in b.strategies}
    assert {get_strategy(name).spec for name in tabled} & ranked == {"none"}


@pytest.mark.parametrize("name", ["leaderboard-2026-11", "emails-2026-12"])
def test_strategies_of_all_stages_take_part_without_clashes(name: str) -> None:
    strategies = [get_strategy(s) for s in load_suite(name).blocks[0].strategies]
    assert len(strategies) >= (20 if name.startswith("leader") else 12)
    stages = {stage for strategy in strategies for part in strategy.parts for stage in part.stages}
    assert stages >= {"loss", "weights", "resample", "adjust", "decide"}
    assert any(len(strategy.parts) > 1 for strategy in strategies)
    assert not [line for strategy in strategies for line in clash_warnings(strategy)]
