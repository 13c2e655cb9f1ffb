"""`equipoise publish`, `verify` and `submit`: results that others can cite, recompute and extend."""

from __future__ import annotations

import dataclasses
import json as json_
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.core.console import terminal
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo, echo_json
from equipoise.core.plugin_output import plugins_apart
from equipoise.publishing import submission
from equipoise.publishing.cells import sample
from equipoise.publishing.coverage import coverage
from equipoise.publishing.coverage import in_words as in_words_of
from equipoise.publishing.folder import README, PublishedFolder, read_folder, text_of
from equipoise.publishing.index import write_index
from equipoise.publishing.readme import withdrawn, written
from equipoise.publishing.rows import amount
from equipoise.publishing.suites import of_suite
from equipoise.publishing.verification import DIFFERENT, EQUAL, MISSING, TOLERANCE, Verdict, verify
from equipoise.publishing.writing import only_writer
from equipoise.publishing.writing import publish as write
from equipoise.store.rows import Row
from equipoise.store.store import Store


def publish(
    name: str, results: Path, suites: Sequence[str], into: Path, machine: str, unfinished: bool = False
) -> None:
    """Publish the rows of a store, or the complete blocks of some suites, and write the index over all published folders.

    Args:
        unfinished: publish the rows of blocks that are not complete, too.
    """
    if unfinished and not suites:
        raise EquipoiseError("--unfinished goes with --suite: without one, all rows are published")
    if twice := [
        name
        for name, count in Counter(Path(s).name.removesuffix(".toml") for s in suites).items()
        if count > 1
    ]:
        raise EquipoiseError(f"two suites are named {twice[0]}: give each once, and each a name of its own")
    rows = _rows(results, suites)
    covered = [coverage(rows, suite, unfinished=unfinished) for suite in suites]
    for line in (line for one in covered for line in in_words_of(one)):
        echo(line)
    if suites:
        chosen = {row["key"] for one in covered for row in one.rows}
        # In the order of the store, where a later row of a cell replaces an earlier one.
        rows = [row for row in rows if row["key"] in chosen]
        if not rows:
            raise EquipoiseError(
                f"no block of {', '.join(suites)} is complete; --unfinished publishes what is there"
            )
    with only_writer(into):
        folder = write(rows, into / name, suites=covered, description=machine)
        listed = write_index(into)
    _told(folder)
    echo(f"{into / 'index.md'} and index.html list {len(listed)} folder{'s' * (len(listed) != 1)}")


@plugins_apart()
def submit(
    name: str, results: Path, files: Sequence[Path], distributions: Sequence[str], into: Path, machine: str
) -> None:
    """Pack the rows of a store with the plugins that made them."""
    for file in files:
        if not file.is_file():
            raise EquipoiseError(f"no plugin file at {file}")
    rows = _rows(results, ())
    with only_writer(into):
        folder = submission.submit(
            rows, into / name, files=files, distributions=distributions, description=machine
        )
    _told(folder)


def _rows(results: Path, suites: Sequence[str]) -> list[Row]:
    store = Store(results)
    rows = store.rows()
    if store.damage:
        raise EquipoiseError(store.damage)
    if suites:
        chosen = {row["key"] for suite in suites for row in of_suite(rows, suite)}
        rows = [row for row in rows if row["key"] in chosen]
    if not rows:
        of = f" of {', '.join(suites)}" if suites else ""
        raise EquipoiseError(f"no rows in {results}{of}: run something first, e.g. equipoise run quick")
    return rows


def _told(folder: PublishedFolder) -> None:
    facts = folder.manifest
    readme = folder.path / "README.md"
    echo(f"{folder.path}: {facts['rows']} rows, {amount(facts['core_hours'])} core-hours")
    if len(facts["code"]) > 1:
        echo(f"the rows were made by {len(facts['code'])} versions of the engine, which the README says")
    if facts["missing"]:
        echo(f"there is nothing over data sets (effects, ranking, pictures): {facts['missing']}")
    if not written(readme.read_text(encoding="utf-8")):
        echo(f"write the finding into {readme}, between its two marks, and publish again")


@plugins_apart()
def verify_folder(
    path: Path,
    *,
    number: int,
    seed: int,
    most_seconds: float | None,
    keys: Sequence[str],
    run_plugins: bool,
    data_dir: Path | None,
    json: bool,
) -> int:
    """Check a folder and recompute some of its cells; returns the exit code, 1 unless every one is confirmed.

    Raises:
        EquipoiseError: the folder is damaged, incomplete, or was not written by this package.
    """
    folder = read_folder(path)
    folder.whole()
    gone = withdrawn(text_of(path / README))
    # The sample is drawn before any code of a submission runs, which could otherwise choose it.
    rows, words = sample(folder.rows, number, seed, most_seconds, keys)
    if not json:
        echo(f"{path}: {len(folder.manifest['files'])} files and {len(folder.rows)} rows are as published")
        if gone:
            echo(
                f"{path} is withdrawn, as its README says: its rows may be computed again, and are not to be cited"
            )
    files, findings = _submitted(folder, run_plugins)
    verdicts = []
    if not json:
        for line in (f"  {name}: {one}" for name, found in findings.items() for one in found):
            echo(line)
        echo(f"recomputing {words}")
    # On the error stream, so that a script that reads the output sees verdicts only.
    with terminal(stderr=True).status("") as status:
        for one in verify(rows, files, data_dir, lambda cell: status.update(cell)):
            verdicts.append(one)
            if not json:
                echo(in_words(one))
    fine = all(one.fine for one in verdicts) and not any(findings.values())
    if json:
        records = [_record(one) for one in verdicts]
        facts = {"sampled": words, "withdrawn": gone, "cells": records, "findings": findings}
        echo_json(json_.dumps(facts, indent=1))
    else:
        confirmed = sum(one.fine for one in verdicts)
        echo(f"{'verified' if fine else 'NOT verified'}: {confirmed} of {len(verdicts)} cells confirmed")
    return int(not fine)


def _submitted(folder: PublishedFolder, run_plugins: bool) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """Load the plugins of a submission and run the conformance kit on them: strategy → file, and strategy → findings."""
    if not folder.submitted:
        return {}, {}
    if not run_plugins:
        raise EquipoiseError(
            f"{folder.path} brings code of its own, which verifying runs: read it, and then pass --run-plugins"
        )
    submission.check_statement(folder)
    files, names = submission.load(folder)
    found = {
        name: [f"{one['hook']}: {one['problem']}" for one in findings]
        for name, findings in submission.conformance(names).items()
    }
    return files, found


def in_words(one: Verdict) -> str:
    """One line: the outcome, the cell, and what differs."""
    parts = [f"{one.outcome:9} {one.cell} ({one.key})"]
    if one.outcome == EQUAL:
        return f"{parts[0]}: to the bit"
    if one.outcome == MISSING:
        return f"{parts[0]}: {one.why}"
    if one.metric:
        allowed = f", tolerance {TOLERANCE:g}" if one.changed else ""
        parts.append(f"{one.metric} by {one.largest:.3g} at most{allowed}")
    elif one.outcome != DIFFERENT:
        parts.append("no difference in the metrics that are compared")
    if one.why:
        parts.append(one.why)
    if one.changed:
        parts.append(f"changed since: {', '.join(one.changed)}")
    return f"{parts[0]}: {'; '.join(parts[1:])}"


def _record(one: Verdict) -> dict[str, Any]:
    # JSON has no infinity, which stands for a metric that is defined on one side only.
    largest = one.largest if one.largest != float("inf") else None
    return {**dataclasses.asdict(one), "largest": largest, "fine": one.fine}
