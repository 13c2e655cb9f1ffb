"""`equipoise bench compare`: two runs of the benchmarks, on made-up files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from equipoise.cli.main import app
from equipoise.core.errors import EquipoiseError
from equipoise.timings import gate
from equipoise.timings.records import find, load, short, visit_spread
from equipoise.timings.units import in_unit

MACHINE = {"device": "cpu", "clock": "processor time", "threads": 1, "processor": "a processor"}
QUIET = [1.0, 1.01, 1.0, 1.01]


def entry(name: str, visits: list[float], **info: Any) -> dict[str, Any]:
    """An entry of pytest-benchmark with what the fixtures of the benchmarks add."""
    extra = {**MACHINE, "versions": {"torch": "2.9"}, "visits": visits, "rows_per_s": 100.0, **info}
    fullname = f"benchmarks/bench_hooks.py::test_hook[{name}]"
    return {"fullname": fullname, "stats": {"min": min(visits or [1.0])}, "extra_info": extra}


def saved(path: Path, *entries: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"benchmarks": entries}), encoding="utf-8")
    return path


def times(visits: list[float], factor: float) -> list[float]:
    return [factor * seconds for seconds in visits]


def verdict(tmp_path: Path, factor: float, visits: list[float] = QUIET) -> gate.Change:
    """The change of one timing that takes `factor` times as long, among others that stay as they are."""
    others = [entry(f"other{i}", QUIET) for i in range(9)]
    before = load(saved(tmp_path / "before.json", entry("focal", visits), *others))
    after = load(saved(tmp_path / "after.json", entry("focal", times(visits, factor)), *others))
    return next(c for c in gate.compare(before, after).changes if "focal" in c.name)


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["bench", "compare", *words], env={"COLUMNS": "120"})
    assert done.exception is None or isinstance(done.exception, SystemExit | EquipoiseError), done.exception
    return done.exit_code, done.stdout, str(done.exception or "") + done.stderr


def test_the_spread_of_visits_is_that_of_the_better_half() -> None:
    assert visit_spread([1.0]) is None
    assert visit_spread([1.0, 1.2]) == pytest.approx(0.2)
    # One disturbed visit of four does not count.
    assert visit_spread([1.1, 3.0, 1.0, 1.0]) == pytest.approx(0.1)
    assert visit_spread([1.1, 3.0, 1.0, 1.5]) == pytest.approx(0.5)


@pytest.mark.parametrize(("factor", "expected"), [(1.3, "slower"), (1 / 1.3, "faster"), (1.0, "same")])
def test_a_change_beyond_the_noise_is_found(tmp_path: Path, factor: float, expected: str) -> None:
    found = verdict(tmp_path, factor)
    assert (found.verdict, found.noise) == (expected, gate.FLOOR)
    assert found.ratio == pytest.approx(factor)


def test_no_change_within_the_noise_is_called_one(tmp_path: Path) -> None:
    assert verdict(tmp_path, 1 + gate.FLOOR / 2).verdict == "same"
    noisy = verdict(tmp_path, 1.3, visits=[1.0, 1.25, 1.2, 1.3])
    assert noisy.noise == pytest.approx(gate.OWN * 0.25)
    assert noisy.verdict == "same"


def test_a_timing_is_no_quieter_than_is_usual_in_its_run(tmp_path: Path) -> None:
    noisy = [entry(f"other{i}", [1.0, 1.2]) for i in range(9)]
    lucky = [1.0, 1.0]
    before = load(saved(tmp_path / "before.json", entry("focal", lucky), *noisy))
    after = load(saved(tmp_path / "after.json", entry("focal", times(lucky, 1.3)), *noisy))
    assert gate.usual_spread([*before.timings.values(), *after.timings.values()]) == pytest.approx(0.2)
    assert {c.verdict for c in gate.compare(before, after).changes} == {"same"}


def test_a_timing_of_one_visit_has_no_verdict(tmp_path: Path) -> None:
    assert verdict(tmp_path, 3.0, visits=[1.0]).verdict == gate.UNKNOWN
    # A file of pytest-benchmark without our facts: the minimum of its rounds.
    plain = saved(tmp_path / "plain.json", {"fullname": "a.py::test_b", "stats": {"min": 2.0}})
    (timing,) = load(plain).timings.values()
    assert (timing.seconds, timing.visit_spread) == (2.0, None)


def test_one_table_with_the_most_slowed_down_first(tmp_path: Path) -> None:
    factors = {"asl": 1.5, "focal": 2.0, "hill": 1.0, "zlpr": 0.5}
    before = saved(tmp_path / "b.json", *(entry(n, QUIET) for n in factors), entry("gone", QUIET))
    changed = [entry(n, times(QUIET, f), versions={"torch": "3.0"}) for n, f in factors.items()]
    after = saved(tmp_path / "a.json", *changed)
    code, out, err = run(str(before), str(after))
    assert code == 1
    assert [n for line in out.splitlines() for n in factors if n in line] == ["focal", "asl", "zlpr"]
    (line,) = [line for line in out.splitlines() if "focal" in line]
    assert line.replace("│", " ").split() == [
        "hooks:", "hook[focal]", "1", "s", "2", "s", "2.00", "±", "8%", "slower",
    ]  # fmt: skip
    assert "4 timings: 2 slower, 1 faster, 1 same" in out
    assert "other versions: torch 2.9 → 3.0" in err
    assert "1 timings only in BEFORE, such as hooks: hook[gone]" in err
    assert "hill" in run(str(before), str(after), "--all")[1]


def test_nothing_slower_is_exit_code_0_also_as_json(tmp_path: Path) -> None:
    before = saved(tmp_path / "b.json", entry("asl", QUIET), entry("focal", QUIET))
    after = saved(tmp_path / "a.json", entry("asl", QUIET), entry("focal", times(QUIET, 0.5)))
    code, out, _ = run(str(before), str(after), "--json")
    assert code == 0
    changes = {short(c["name"]): (c["verdict"], c["ratio"]) for c in json.loads(out)["changes"]}
    assert changes == {"hooks: hook[asl]": ("same", 1.0), "hooks: hook[focal]": ("faster", 0.5)}


def test_help_tells_the_exit_code() -> None:
    shown = CliRunner().invoke(app, ["bench", "compare", "--help"], env={"COLUMNS": "200"})
    assert "exit code 1 if anything became slower" in shown.stdout


@pytest.mark.parametrize("what", ["device", "threads", "processor", "clock"])
def test_times_of_different_machines_are_not_compared(tmp_path: Path, what: str) -> None:
    before = saved(tmp_path / "b.json", entry("asl", QUIET))
    after = saved(tmp_path / "a.json", entry("asl", QUIET, **{what: "another"}))
    with pytest.raises(EquipoiseError, match=f"cannot be compared: {what} .* before, another after"):
        gate.compare(load(before), load(after))
    # Where only some differ, these are left out.
    before = saved(tmp_path / "b.json", entry("asl", QUIET), entry("focal", QUIET))
    after = saved(tmp_path / "a.json", entry("asl", QUIET, **{what: "another"}), entry("focal", QUIET))
    assert [short(c.name) for c in gate.compare(load(before), load(after)).changes] == ["hooks: hook[focal]"]
    assert "1 timings left out" in run(str(before), str(after))[2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no file of pytest-benchmark, or damaged"),
        ("[]", "no file of pytest-benchmark, or damaged"),
        ('{"benchmarks": [{"fullname": "a"}]}', "no file of pytest-benchmark, or damaged"),
        ('{"benchmarks": [{"fullname": "a", "stats": {"min": 0}}]}', "a takes 0.0 s"),
        ('{"benchmarks": []}', "holds no timings"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    good, bad = saved(tmp_path / "good.json", entry("asl", QUIET)), tmp_path / "bad.json"
    bad.write_text(content, encoding="utf-8")
    for pair in ((good, bad), (bad, good)):
        code, out, error = run(*map(str, pair))
        assert (code != 0, out) == (True, "")
        assert message in error
        assert str(bad) in error


def test_runs_are_found_by_their_numbers(tmp_path: Path) -> None:
    first = saved(tmp_path / "Linux-CPython" / "0001_timings.json", entry("asl", QUIET))
    saved(tmp_path / "Linux-CPython" / "0002_timings.json", entry("asl", times(QUIET, 2)))
    assert find("1", tmp_path) == find("0001", tmp_path) == first
    assert run("1", "2", "--storage", str(tmp_path))[0] == 1
    with pytest.raises(EquipoiseError, match=r"no run 0007 in .*; there are 0001, 0002"):
        find("7", tmp_path)
    with pytest.raises(EquipoiseError, match=r"no file gone\.json"):
        find("gone.json", tmp_path)
    saved(tmp_path / "Linux-PyPy" / "0001_timings.json", entry("asl", QUIET))
    with pytest.raises(EquipoiseError, match="several runs 0001"):
        find("1", tmp_path)


def test_runs_without_a_common_timing(tmp_path: Path) -> None:
    one, other = (saved(tmp_path / f"{n}.json", entry(n, QUIET)) for n in ("asl", "focal"))
    assert "have no timing in common" in run(str(one), str(other))[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2.5e-7, "0.25 µs"), (0.0032412, "3.24 ms"), (0.99996, "1 s"), (42.12, "42.1 s"), (59.96, "1 min"),
     (100, "1.7 min"), (11000, "3.1 h"), (300_000, "3.5 d"), (9e7, "1,040 d")],
)  # fmt: skip
def test_times_in_units_that_people_read(seconds: float, words: str) -> None:
    assert in_unit(seconds) == words
