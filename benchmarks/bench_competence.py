"""Are our backbones competent (DESIGN: "Competent models")? Each under `none`, beside references on the same splits.

    pytest benchmarks/bench_competence.py -m slow                     # all of it: hours on two cores, mostly of lstm
    pytest benchmarks/bench_competence.py -m slow -k reference        # references whose rows are not in the file
    pytest benchmarks/bench_competence.py -m slow -k "ours and yeast"
    pytest benchmarks/bench_competence.py -m slow -k "table or goals" # from the rows that are there

Each measurement is a test and writes its row as soon as it is done: an interrupted run goes on where it was. The rows lie in
published/competence.jsonl; `python docs/make_competence.py` puts them into docs/competence.md. Ours are trained anew when
anything that makes their predictions has changed, references when their versions, data or settings have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import competence
import competence_rows
import pytest
from competence import Data, Ours
from competence_rows import ROWS, load, outcomes
from reference_models import Reference

from equipoise.core.errors import EquipoiseError

pytestmark = pytest.mark.slow
NAMES = [data.name for data in competence.DATA]


def _skipping(measure: Callable[[], Any]) -> Any:
    """Skip where the data are not here and cannot be had, or an encoder's package is not installed."""
    try:
        return measure()
    except EquipoiseError as error:
        if "downloading" not in str(error) and "needs the package" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("data", "split", "model"),
    [pytest.param(d, s, m, id=f"{d.name}-{s}-{m.name}") for d, s, m in competence.reference_runs()],
)
def test_reference(data: Data, split: int | str, model: Reference) -> None:
    row = _skipping(lambda: competence.reference_row(data.name, split, model, ROWS))
    assert all(0 < value < 1 for value in row["metrics"].values())


@pytest.mark.parametrize(
    ("data", "ours"), [pytest.param(d, o, id=f"{d.name}-{o.spec}") for d, o in competence.our_runs()]
)
def test_ours(request: pytest.FixtureRequest, data: Data, ours: Ours) -> None:
    results = request.config.rootpath / "results" / "benchmarks" / "competence"
    rows = _skipping(lambda: competence.our_rows(data, ours, results, ROWS))
    assert len(rows) == len(data.each)
    assert all(0 < value < 1 for row in rows for value in row["metrics"].values())


def test_table(tell: Callable[[str, str, str], None]) -> None:
    """Shows the tables; a goal that is missed is said there."""
    rows = load(ROWS)
    for name in NAMES:
        tell("competence", name, competence_rows.scores_table(rows, name))
    tell("competence", "goals", competence_rows.goals_table(outcomes(rows, NAMES)))
    assert {row["dataset"] for row in rows} <= set(NAMES)


def test_goals_are_met() -> None:
    """The one test that fails on a missed goal; goals whose models have not run yet do not count."""
    missed = [f"{o.goal} on {o.dataset}: {o}" for o in outcomes(load(ROWS), NAMES) if o.missed]
    assert not missed, "\n".join(missed)
