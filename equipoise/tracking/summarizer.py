"""Writes the runs above the cells: who won on each table, and the means of each strategy, see `equipoise.tracking.summaries`.

These runs keep their ids when they are written again, so that links to them stay valid. A run that was interrupted has the
status RUNNING and is written again. The summary run of a table comes last, with a digest of all rows of its data set: where it
is current, nothing below it needs a look.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise import page, report
from equipoise.core.errors import one_line
from equipoise.page.extras import grouped
from equipoise.page.render import page_html
from equipoise.report.advice import advise
from equipoise.report.comparison import Comparison, compare
from equipoise.store.rows import Row
from equipoise.tracking import run_fields as view
from equipoise.tracking.database import begin_again, nest
from equipoise.tracking.files import draw_summary, write_table
from equipoise.tracking.levels import KEY, VERSION, KnownRun, strategy_key, table_key
from equipoise.tracking.summaries import Summary, summaries
from equipoise.tracking.views import saved_views
from equipoise.tracking.words import experiment_description

if TYPE_CHECKING:
    from equipoise.tracking.tracker import Tracker

#: The tag with a hash of the description that was written last, by which one that a user has edited is known.
WRITTEN = "equipoise.description"
NOTE = "mlflow.note.content"


def current(tracker: Tracker, rows: Sequence[Row]) -> bool:
    """Whether the summaries rest on these rows, and no run above a cell is missing."""
    known = tracker.known_runs()
    versions = {table_key(row): version for of, version in _by_data(rows) for row in of}
    tables = all(key in known and known[key].version == version for key, version in versions.items())
    return tables and all(strategy_key(row) in known for row in rows)


def summarize(tracker: Tracker, rows: Sequence[Row]) -> list[str]:
    """Write what is missing or outdated, and put the cells below their strategies; returns problems as single lines."""
    problems: list[str] = []
    for of_data, version in _by_data(rows):
        try:
            _write_data(tracker, of_data, version, problems)
        except Exception as error:
            problems.append(
                f"MLflow has no summary of {of_data[0]['dataset']} ({one_line(error)}); the rows are safe"
            )
    known = tracker.known_runs()
    pairs = ((known.get(str(row["key"])), known.get(strategy_key(row))) for row in rows)
    nest(tracker.database, {cell.run_id: parent.run_id for cell, parent in pairs if cell and parent})
    return problems


def _by_data(rows: Iterable[Row]) -> list[tuple[list[Row], str]]:
    """The rows of each experiment, which its description and the advice on its data rest on, with a digest of them."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(view.experiment_name(row), []).append(row)
    return [(of, _digest([_code(), *(_content(row) for row in of)])) for of in groups.values()]


def _content(row: Row) -> object:
    return [row["key"], row["status"], row.get("metrics_code"), row.get("created")]


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _code() -> str:
    """A hash of the code that makes summaries, so that those of earlier versions are written again."""
    here = [Path(str(module.__file__)).parent for module in (page, report)] + [Path(__file__).parent]
    files = sorted(file for folder in here for file in folder.iterdir() if file.is_file())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _write_data(tracker: Tracker, rows: Sequence[Row], version: str, problems: list[str]) -> None:
    """Write the runs above the cells of one data set, and the description and the views of its experiment."""
    known = tracker.known_runs()
    groups = grouped(rows)
    keys = {table_key(of[0]) for of in groups} | {strategy_key(row) for row in rows}
    if all(key in known for key in keys) and all(known[table_key(of[0])].version == version for of in groups):
        return
    comparisons = compare(rows)
    html = _page(tracker, rows, problems)
    for comparison, of in zip(comparisons, groups, strict=True):
        for summary in summaries(comparison, of):
            is_table = summary.key == table_key(of[0])
            content = version if is_table else _digest([_code(), _shown(summary)])
            if summary.key in known and known[summary.key].version == content:
                continue
            run_id = _begin(tracker, summary)
            folder = tracker.folder(summary.row, run_id)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if is_table:
                write_table(folder / "ranking.json", summary.table)
                if html:
                    (folder / "report.html").write_text(html, encoding="utf-8", errors="replace")
                draw_summary(of, folder, tracker.artifacts / ".pictures", problems.append)
            else:
                write_table(folder / "splits.csv", summary.table)
            _end(tracker, summary, run_id, content)
    _describe(tracker, rows, comparisons)


def _shown(summary: Summary) -> list[object]:
    return [
        summary.name,
        summary.status,
        summary.end,
        summary.tags,
        summary.metrics,
        summary.params,
        summary.table,
    ]


def _page(tracker: Tracker, rows: Sequence[Row], problems: list[str]) -> str:
    """The report on a data set as a page; "" if it cannot be made."""
    where = str(tracker.store.path)
    try:
        return page_html(
            rows, tracker.store, None, f"equipoise report --html report.html --results {where}", where
        )
    except Exception as error:
        problems.append(f"no page for {rows[0]['dataset']} ({one_line(error)})")
        return ""


def _begin(tracker: Tracker, summary: Summary) -> str:
    """The id of the run, new or emptied, which is RUNNING from here on until its last step."""
    client, known = tracker.client(), tracker.known_runs()
    if summary.key in known:
        begin_again(tracker.database, known[summary.key].run_id, summary.name, summary.start)
    else:
        experiment = tracker.experiment_id(summary.row)
        run = client.create_run(experiment, summary.start, {KEY: summary.key}, summary.name)
        known[summary.key] = KnownRun(run.info.run_id, "")
        client.log_inputs(run.info.run_id, [view.dataset_input(summary.row)])
    run_id = known[summary.key].run_id
    known[summary.key] = KnownRun(run_id, "")
    return run_id


def _end(tracker: Tracker, summary: Summary, run_id: str, version: str) -> None:
    from mlflow.entities import Param, RunTag

    client = tracker.client()
    tags = {**summary.tags, VERSION: version, "mlflow.runName": summary.name}
    client.log_batch(
        run_id,
        metrics=view.metrics_of(summary.metrics.items(), summary.end),
        params=[Param(name, value) for name, value in summary.params.items()],
        tags=[RunTag(name, value[:5000]) for name, value in tags.items() if value],
    )
    client.set_terminated(run_id, summary.status, summary.end)
    tracker.known_runs()[summary.key] = KnownRun(run_id, version)


def _describe(tracker: Tracker, rows: Sequence[Row], comparisons: Sequence[Comparison]) -> None:
    """Write the description of an experiment, unless a user has edited it, and its saved views."""
    client, number = tracker.client(), tracker.experiment_id(rows[0])
    tags: Mapping[str, str] = client.get_experiment(number).tags
    text = experiment_description(comparisons, advise(comparisons, str(tracker.store.path)))
    now, written = tags.get(NOTE, ""), tags.get(WRITTEN)
    # Before there was such a tag, descriptions began with these words.
    ours = not now or _digest(now) == written or (written is None and "Balancing strategies on " in now)
    wanted = saved_views(min(view.span(row)[0] for row in rows))
    wanted = {name: value for name, value in wanted.items() if not _edited(tags.get(name))}
    if ours:
        wanted |= {NOTE: text, WRITTEN: _digest(text)}
    for name, value in wanted.items():
        if tags.get(name) != value:
            client.set_experiment_tag(number, name, value)


def _edited(view_tag: str | None) -> bool:
    """Whether a user has saved another state in one of our views."""
    try:
        saved = json.loads(view_tag or "{}")
        return bool(saved) and saved.get("updatedAt") != saved.get("createdAt")
    except (ValueError, AttributeError):
        return False
