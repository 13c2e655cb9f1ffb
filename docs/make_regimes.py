"""Put the rows of results/published/regimes-2026-11 into docs/regimes.md, and draw its pictures.

python docs/make_regimes.py                 # from what is published
python docs/make_regimes.py --worlds STORE  # from a store, and first compute what is not yet known of its worlds (minutes)
"""

from __future__ import annotations

import itertools
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from equipoise.publishing.folder import read_folder
from equipoise.store.store import Store
from equipoise.worlds import pictures
from equipoise.worlds.world import RULES, WORDS, Worlds

HERE = Path(__file__).parent
PAGE, IMAGES = HERE / "regimes.md", HERE / "images"
PUBLISHED = HERE.parent / "results" / "published" / "regimes-2026-11"
CONFIRMED = PUBLISHED.with_name("regimes-clean-2026-11")
sys.path.append(str(HERE))
try:
    import regimes_contrasts
    import regimes_real
    import regimes_tables
    from regimes_rows import EPOCHS, Row, compute_worlds, corners, known_worlds, observed, strategies
finally:
    sys.path.pop()


def draw(worlds: Worlds) -> None:
    """Draw the map and the ladder into docs/images."""
    where = corners(worlds)
    maps = {
        f"Difference from none: {WORDS[i]}": regimes_tables.heat(worlds, rule) for i, rule in enumerate(RULES)
    }
    counts = [len(worlds.where(rows=rows, imbalance=ratio).worlds) for rows, ratio in where]
    names = [f"{rows:g} rows\n{ratio:g} : 1\nn = {n}" for (rows, ratio), n in zip(where, counts, strict=True)]
    edges = [i for i, (a, b) in enumerate(itertools.pairwise(where), 1) if a[0] != b[0]]
    pictures.regime_map(maps, names, (0.05, 0.05, 0.3), edges).savefig(IMAGES / "regimes.png", dpi=120)
    steps = regimes_tables.thresholds(worlds)
    del steps["the exact posterior at ½"]  # hardly apart from the best possible
    lines = regimes_tables.named(worlds)
    figure = pictures.ladder(
        {k: np.array(v) for k, v in steps.items()}, lines, "Macro-F1 from ½ to the best possible"
    )
    figure.savefig(IMAGES / "regimes-thresholds.png", dpi=120)


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """Every table of the page by the name of its mark."""
    worlds = observed(rows, EPOCHS)
    chosen = {f"chosen-{rule}": regimes_tables.choices(worlds, rule) for rule in RULES}
    changes = {f"effects-{rule}": regimes_tables.effects_table(worlds, rule) for rule in RULES}
    return {
        "corners": regimes_tables.corners_table(worlds),
        "thresholds": regimes_tables.thresholds_table(worlds),
        "chosen-untuned-against-tuned": regimes_tables.choices(worlds, "untuned", "tuned"),
        "overall": regimes_tables.overall_table(worlds),
        "dependence": regimes_tables.dependence_table(worlds),
        "budgets": regimes_contrasts.budgets_table(rows),
        "noise": regimes_contrasts.noise_table(worlds),
        "confirmed": regimes_contrasts.confirmed_table(read_folder(CONFIRMED).rows),
        **chosen,
        **changes,
        **real_tables(worlds),
    }


def real_tables(worlds: Worlds) -> dict[str, str]:
    """The tables about data sets that are not generated."""
    real, known = regimes_real.load(), known_worlds()
    return {
        "real-rules": regimes_real.rules_table(known, real, strategies(worlds)),
        "real-predictions": regimes_real.checks_table(worlds, known, real),
    }


def page(rows: Sequence[Row]) -> str:
    """The page as it should be."""
    filled = runpy.run_path(str(HERE / "make_performance.py"))["filled"]
    made: str = filled(PAGE.read_text(encoding="utf-8"), tables(rows))
    return made


if __name__ == "__main__":
    listed = Store(Path(sys.argv[2])).rows() if sys.argv[1:2] == ["--worlds"] else read_folder(PUBLISHED).rows
    if sys.argv[1:2] == ["--worlds"]:
        compute_worlds(listed, list(dict.fromkeys(one.dataset for one in regimes_real.load())))
    draw(observed(listed, EPOCHS))
    if PAGE.exists():
        PAGE.write_text(page(listed), encoding="utf-8")
    else:
        print("\n\n".join(f"{k}\n{v}" for k, v in tables(listed).items()))
