"""`equipoise diagnose` as a whole: stable JSON, a self-contained page, advice that can be followed, one line for bad input."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import equipoise
from equipoise.contracts.dataset import DEV, TEST, TRAIN, Dataset
from equipoise.diagnosis import Diagnosis
from equipoise.diagnosis.sections.advice import advice_section

from .shared import diagnosis
from .shared.diagnosis import made

table = diagnosis.table

SECTIONS = {
    "schema": None,
    "seed": None,
    "dataset": {"name", "kind", "rows", "labels", "generated", "source", "sha256", "notes", "spec"},
    "numbers": {
        "rows",
        "labels",
        "labelsets",
        "singletons",
        "empty_rows",
        "empty_labels",
        "cardinality",
        "density",
    }
    | {"mean_ir", "max_ir", "cvir", "scumble", "scumble_cv", "rdep", "zero_positive_rule"},
    "labels": {"label", "rows", "share", "irlbl", "group", "third"},
    "labelsets": {
        "distinct",
        "singletons",
        "rows_in_singletons",
        "largest_share",
        "spectrum",
        "most_frequent",
    },
    "dependence": {"pairs", "joint", "conditional", "verdict", "words"},
    "health": {
        "split",
        "duplicates",
        "empty",
        "folds",
        "constant_features",
        "text_words",
        "leaks",
        "problems",
        "fine",
    },
    "advice": {"guess", "items", "strategies", "command"},
    "in_short": None,
}


@pytest.fixture(scope="module")
def emails() -> Diagnosis:
    return equipoise.diagnose("design-emails", rows=300)


def test_json_keeps_its_schema(emails: Diagnosis) -> None:
    content = json.loads(emails.to_json())
    assert content["schema"] == 1
    assert set(content) == set(SECTIONS)
    for name, keys in SECTIONS.items():
        if keys is not None:
            one = content[name][0] if isinstance(content[name], list) else content[name]
            assert set(one) == keys, name
    assert set(content["dependence"]["conditional"]) == {
        *(
            "tested",
            "sample",
            "rows",
            "labels",
            "folds",
            "log_loss_bits",
            "gain_true",
            "gain_predicted",
            "per_label",
        )
    }
    assert content["dataset"]["spec"] == "design-emails[rows=300]"


def test_the_same_seed_gives_the_same_bytes(emails: Diagnosis) -> None:
    again = equipoise.diagnose("design-emails", rows=300)
    assert again.to_json() == emails.to_json()
    assert again.to_html() == emails.to_html()


class Reader(HTMLParser):
    """Collects every tag with its attributes, and complains about unbalanced ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_page_stands_alone_and_can_be_read_by_all(emails: Diagnosis) -> None:
    page = emails.to_html()
    found = Reader(page)
    assert not re.search(r"(https?:)?//[a-z]|url\(|@import", re.sub(r"base64,[^\"]*", "", page))
    assert not {tag for tag, _ in found.tags} & {"script", "link", "iframe"}
    assert len(found.of("h1")) == 1
    assert [attrs["lang"] for attrs in found.of("html")] == ["en"]
    assert any(attrs.get("name") == "viewport" for attrs in found.of("meta"))
    images = found.of("img")
    assert len(images) == 5
    for image in images:
        assert str(image["src"]).startswith("data:image/png;base64,iVBOR")
        assert len(str(image["alt"])) > 30
    assert len(found.of("caption")) == len(found.of("table"))
    assert "generated, not real" in page


def test_names_from_the_data_are_escaped() -> None:
    rng = np.random.default_rng(0)
    evil = '<script>alert("x")</script> & $y$ [bold]'
    data = Dataset(evil, rng.normal(size=(40, 3)), rng.integers(0, 2, (40, 2)), (evil, "b"), notes=(evil,))
    found = equipoise.diagnose(data)
    page = found.to_html()
    assert not Reader(page).of("script")
    assert "&lt;script&gt;" in page
    assert "[bold]" in str(found)


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("value", [0, 1])
def test_degenerate_labels_are_survived(labels: int, value: int) -> None:
    found = equipoise.diagnose(made(np.full((12, labels), value)))
    assert json.loads(found.to_json())["dependence"]["verdict"] == "independent"
    assert "nan" not in str(found).lower().replace("nand", "")
    assert "nan" not in re.sub(r"base64,[^\"]*", "", found.to_html()).lower()


def test_the_official_split_is_the_one_looked_at() -> None:
    Y = np.random.default_rng(0).integers(0, 2, (60, 2))
    official = np.repeat([TRAIN, DEV, TEST], [30, 10, 20])
    data = made(Y, official=official)
    health = equipoise.diagnose(data).data["health"]
    assert (health["split"], health["duplicates"]["across_split"]["test_rows"]) == ("the official split", 20)
    plain = equipoise.diagnose(replace(data, official=None)).data["health"]
    assert (plain["split"], plain["duplicates"]["across_split"]["test_rows"]) == (
        "outer split 0 of seed 0",
        12,
    )
    given = equipoise.diagnose(data, split=(range(50), range(50, 60))).data["health"]
    assert (given["split"], given["duplicates"]["across_split"]["test_rows"]) == ("the given split", 10)


NUMBERS = {"rows": 1000, "labels": 8, "labelsets": 20, "mean_ir": 9.0, "scumble": 0.3}

SETS = {"distinct": 20, "singletons": 3}


@pytest.mark.parametrize("verdict", ["independent", "explained", "combinations", "predictions", "unknown"])
@pytest.mark.parametrize("mean_ir", [1.2, 9.0])
@pytest.mark.parametrize("scumble", [0.01, 0.3])
@pytest.mark.parametrize("distinct", [20, 600])
def test_advice_names_strategies_that_exist(
    verdict: str, mean_ir: float, scumble: float, distinct: int
) -> None:
    numbers = NUMBERS | {"mean_ir": mean_ir, "scumble": scumble, "labelsets": distinct}
    found = {
        "numbers": numbers,
        "labelsets": SETS | {"distinct": distinct},
        "dependence": {"verdict": verdict},
    }
    advice = advice_section(made(np.eye(20, 8)), found | {"dataset": {"spec": "made"}})
    for item in advice["items"]:
        for name in item["strategies"]:
            assert equipoise.get_strategy(name)
    tried = {name for item in advice["items"] if item["worth"] == "try" for name in item["strategies"]}
    skipped = {name for item in advice["items"] if item["worth"] == "skip" for name in item["strategies"]}
    assert advice["strategies"][:2] == ["none", "scut"]
    assert not tried & skipped
    assert ("pos_weight" in tried) == (mean_ir > 1.5)
    assert ("remedial+ml_ros" in tried) == (mean_ir > 1.5 and scumble > 0.1)
    assert "guess" in advice["guess"]


def test_splitting_is_not_advised_where_it_leaves_rows_without_labels() -> None:
    apart = np.array([[1, 1, 0]] * 30 + [[1, 0, 1]] * 2 + [[1, 0, 0]] * 20, dtype=np.uint8)
    # Label 1 is not rare (IRLbl below the mean), so the rows of labels 0 and 1 have no rare half.
    alike = np.array([[1, 1, 0]] * 12 + [[0, 0, 1]] * 2 + [[1, 0, 0]] * 40, dtype=np.uint8)
    for Y, worth in ((apart, "try"), (alike, "skip")):
        sections = {
            "numbers": NUMBERS | {"mean_ir": 20.0, "scumble": 0.2},
            "labelsets": SETS,
            "dependence": {"verdict": "unknown"},
            "dataset": {"spec": "made"},
        }
        items = advice_section(made(Y), sections)["items"]
        found = [item for item in items if item["strategies"] == ["remedial+ml_ros"]]
        assert [item["worth"] for item in found] == [worth]
        assert ("12 of the 12 rows" in found[0]["why"]) == (worth == "skip")


def test_synthetic_rows_are_not_advised_for_text(emails: Diagnosis) -> None:
    assert "mlsmote" not in emails.to_json()
