"""docs/regimes.md shows what is published, and its tables hold what was planted."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"


@pytest.mark.slow
def test_the_page_shows_the_published_rows() -> None:
    script = runpy.run_path(str(DOCS / "make_regimes.py"))
    kept = (DOCS / "regimes.md").read_text(encoding="utf-8")
    assert script["page"](script["read_folder"](script["PUBLISHED"]).rows) == kept, (
        "run: python docs/make_regimes.py"
    )


def test_numbers_are_written_as_in_the_tables() -> None:
    sys.path.append(str(DOCS))
    try:
        import regimes_tables
    finally:
        sys.path.pop()
    assert [regimes_tables.number(v) for v in (0.0123, -0.2, float("nan"))] == ["+.012", "−.200", "–"]
    assert regimes_tables.table([["a", "b"], ["x", "1"]]).splitlines() == [
        "| a | b |",
        "| --- | ---: |",
        "| x | 1 |",
    ]


def test_real_differences_are_predicted_by_the_measures_of_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference of a strategy is planted as a function of the positives; the real data set follows it."""
    import itertools
    import math

    import numpy as np

    from equipoise.worlds.world import Scores, World, Worlds

    monkeypatch.syspath_prepend(str(DOCS))
    import regimes_real

    def gain(traits: dict[str, float]) -> float:
        return 0.1 - 0.02 * math.log10(traits["positives"]) + 0.03 * traits["rdep"]

    known, worlds = {}, []
    for i, (p, ir, dep, count) in enumerate(itertools.product((10, 100), (2, 20), (0.0, 0.8), (5, 20))):
        known[f"w{i}"] = {"positives": p, "mean_ir": ir, "rdep": dep, "count": count}
        base = Scores(0.5, 0.4, 0.3)
        scores = {"none": base, "focal": Scores(0.5 + gain(known[f"w{i}"]), 0.4, 0.3)}
        worlds.append(World(f"w{i}", {"rows": 1.0}, scores))
    known["real"] = {"positives": 40.0, "mean_ir": 7.0, "rdep": 0.4, "count": 11}
    metrics = {"tuned/macro_f1": 0.4, "own/macro_f1": 0.3}
    rows = [
        {
            "dataset": "real",
            "strategy": name,
            "split": split,
            "status": "ok",
            "metrics": metrics | {"scores/map": score},
        }
        for name, base in (("none", 0.5), ("focal", 0.56))
        for split, score in enumerate(np.linspace(base - 0.01, base + 0.01, 5))
    ]
    measured = regimes_real.measure(rows)
    (check,) = regimes_real.checks(Worlds(worlds), known, measured, "map")
    assert check.measured.mean == pytest.approx(0.06)
    assert check.predicted == pytest.approx(gain(known["real"]))
    assert regimes_real.signs(np.array([-0.1, -0.2, -0.1, 0.1]), np.array([0.1, -0.1, 0.1, 0.1])) == (
        0.5,
        0.75,
    )
    assert regimes_real.signs(np.array([0.1, 0.2, 0.0]), np.array([0.1, 0.2, 0.1])) == pytest.approx(
        (2 / 3, 2 / 3)
    )
    none = next(m for m in measured if m.strategy == "none" and m.rule == "map")
    assert none.mean == pytest.approx(0.5)


def test_the_change_from_few_to_many_epochs_is_paired_by_world(monkeypatch: pytest.MonkeyPatch) -> None:
    from equipoise.worlds.world import Scores, World

    monkeypatch.syspath_prepend(str(DOCS))
    import regimes_contrasts

    def trained(base: list[float], gain: list[float]) -> dict[str, World]:
        made = {}
        for i, (b, g) in enumerate(zip(base, gain, strict=True)):
            scores = {"none": Scores(b, b, b)}
            scores |= {name: Scores(b + g, b, b) for name in regimes_contrasts.SLOW}
            made[f"w{i}"] = World(f"w{i}", {}, scores)
        return made

    # Worlds differ far more (.3 to .9) than what the budget changes (.1, and a lead that loses .02 to .04).
    few = trained([0.3, 0.6, 0.8, 0.5], [0.05, 0.06, 0.04, 0.1])
    many = trained([0.4, 0.7, 0.9], [0.03, 0.03, 0.0])
    before, after, change, *_ = regimes_contrasts._budget_lines({20: few, 80: many}, "500, 0")
    assert before[:5] == ["500, 0", "20", "3", "mAP", ".567"]
    assert after[:5] == ["500, 0", "80", "3", "mAP", ".667"]
    assert change[1] == "change, 20 → 80"
    assert change[4] == "+.100 (+.100 to +.100)"
    # Changes of −.02, −.03 and −.04: mean −.03, and 4.303 · .01 / √3 to each side.
    assert change[5] == "−.030 (−.055 to −.005)"
