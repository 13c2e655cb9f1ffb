"""The page of the report: columns, numbers, widths and JSON."""

from __future__ import annotations

import json
import math

import pytest

from equipoise.report.export import report_frame, to_json
from equipoise.report.words.numbers import duration, number

from .shared.reported import NOISE, printed, sweep

# --- the page -------------------------------------------------------------------------------------------------
LONG = "ml_ros[p=0.25,live=true]+focal[gamma=2.0]+global_threshold"


@pytest.mark.parametrize("width", [80, 100, 116, 160])
def test_every_column_and_number_is_there_at_any_usual_width(width: int) -> None:
    rows = sweep({LONG: (0.1, 0.05), "balanced_sampling": (0.1, -0.05)})
    rows[0]["cost"] = {"seconds_total": 5000.0}
    text = printed(rows, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    for part in (
        "strategy",
        "tuned",
        "Δ none",
        "micro",
        "mAP",
        "rcr",
        "@10",
        "time",
        "min",
        ".700",
        ".660",
        ".250",
    ):
        assert part in text
    squeezed = "".join(text.split())
    for piece in ("ml_ros[p=0.25,live=true]", "+focal[gamma=2.0]", "+global_threshold", "balanced_sampling"):
        assert piece in squeezed or width < 116  # a long piece may be folded over two cells' lines
    assert "[p=0.25" in text  # not swallowed as markup


def test_generated_data_are_called_so_in_the_title() -> None:
    rows = [row | {"generated": True} for row in sweep({})]
    assert printed(rows).startswith("letters (generated) · linear")
    assert "generated" not in printed(sweep({}))


def test_an_empty_store_is_said_to_be_empty() -> None:
    assert "No rows yet" in printed([])
    assert json.loads(to_json([])) == []
    assert len(report_frame([])) == 0


def test_json_is_strict_and_carries_the_conclusions() -> None:
    rows = sweep({"a": (0.1, 0.08)}, 1)
    rows[0]["metrics"]["tuned/rcr_at_10"] = math.nan

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    (one,) = json.loads(to_json(rows), parse_constant=refuse)
    assert [line["strategy"] for line in one["strategies"]] == ["a", "none"]
    assert one["strategies"][0]["delta_tuned_macro_f1_low"] is None
    assert one["strategies"][1]["rcr_at_10"] is None
    assert "One split" in one["conclusions"][0]


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (0.6554, ".655", "+.655"),
        (-0.0031, "−.003", "−.003"),
        (0.0001, ".000", "±.000"),
        (1.0, "1.000", "+1.000"),
    ],
)
def test_numbers_read_as_in_papers(value: float, plain: str, signed: str) -> None:
    assert number(value) == plain
    assert number(value, sign=True) == signed
    assert number(math.nan) == "–"


def test_durations_read_naturally() -> None:
    assert [duration(s) for s in (0.42, 12.3, 99.6, 5000, 7200, math.nan)] == [
        "0.4s",
        "12s",
        "1.7min",
        "83.3min",
        "2.0h",
        "–",
    ]


def test_a_budget_that_binds_is_one_line() -> None:
    comfortable, tight = sweep({"a": (0.0, 0.01)}), sweep({"a": (0.0, 0.01)})
    for row in comfortable:
        row |= {"settled": 0.5, "edges": [], "params": {"lr": 0.01}}
    for row in tight:
        row |= {"settled": 1.0, "edges": ["lr (high)"], "params": {"lr": 0.1}}
    assert "may bind" not in printed(comfortable)
    assert " ".join(printed(tight).split()).count("The budget or a range may bind") == 1
    assert "lr (high) lies at the end of its range in 10 of 10" in json.loads(to_json(tight))[0]["warning"]


def test_a_column_is_left_out_rather_than_cut_short() -> None:
    # The end of an interval near 0 has a digit more, which is one column too many at 80.
    rows = sweep({"inverse_frequency_softmax": (0.1, -0.05)})
    for row in rows:
        if row["strategy"] != "none":
            row["metrics"] |= {"scores/map": 0.6664 + NOISE[row["split"]]}
    for width in (80, 84):
        lines = [line.rstrip() for line in printed(rows, width).splitlines()]
        assert any(line.endswith(" time") for line in lines)
        assert next(line for line in lines if line.startswith("inverse")).endswith("s")
