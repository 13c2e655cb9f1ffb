"""Writes the runs above the cells: who won on each table, and the means of each strategy, see `equipoise.tracking.summaries`.

These runs keep their ids when they are written again, so that links to them stay valid. A new run that was interrupted has the
status RUNNING and is written again. The summary run of a table comes last, with a digest of all rows of its data set: where it
is current, nothing below it needs a look.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from equipoise import page, report
from equipoise.core.errors import one_line
from equipoise.page.extras import grouped
from equipoise.page.render import page_html
from equipoise.report.advice import advise
from equipoise.report.comparison import Comparison, compare
from equipoise.store.rows import Row
from equipoise.tracking import run_fields as view
from equipoise.tracking.connection import Connection
from equipoise.tracking.database import fill_run, nest
from equipoise.tracking.files import draw_summary, write_table
from equipoise.tracking.levels import KEY, VERSION, KnownRun, is_summary, strategy_key, table_key
from equipoise.tracking.summaries import Summary, summaries
from equipoise.tracking.views import saved_views
from equipoise.tracking.words import experiment_description

#: The tag with a hash of the description that was written last, by which one that a user has edited is known.
WRITTEN = "equipoise.description"
NOTE = "mlflow.note.content"


def current(connection: Connection, rows: Sequence[Row]) -> bool:
    """Whether the summaries rest on these rows, and no run above a cell is missing."""
    known = connection.known_runs()
    versions = {table_key(row): version for of, version in _by_data(rows) for row in of}
    tables = all(key in known and known[key].version == version for key, version in versions.items())
    return tables and all(strategy_key(row) in known for row in rows)


def summarize(connection: Connection, rows: Sequence[Row]) -> list[str]:
    """Write what is missing or outdated, and put the cells below their strategies; returns problems as single lines."""
    problems: list[str] = []
    for of_data, version in _by_data(rows):
        try:
            _write_data(connection, of_data, version, problems)
        except Exception as error:
            problems.append(
                f"MLflow has no summary of {of_data[0]['dataset']} ({one_line(error)}); the rows are safe"
            )
    known = connection.known_runs()
    wanted = {key for row in rows for key in (table_key(row), strategy_key(row))}
    # A row may turn out to be of generated data only when the first of its cells has ended.
    for key in [key for key in known if is_summary(key) and key not in wanted]:
        connection.client().delete_run(known.pop(key).run_id)
    pairs = ((known.get(str(row["key"])), known.get(strategy_key(row))) for row in rows)
    nest(connection.database, {cell.run_id: parent.run_id for cell, parent in pairs if cell and parent})
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
    return hashlib.sha256(b"".join(file.read_bytes() for file in code_files())).hexdigest()


def code_files() -> list[Path]:
    """The files that decide what a summary says: the page with its template, the report, and this package."""
    here = [Path(str(module.__file__)).parent for module in (page, report)] + [Path(__file__).parent]
    files = (file for folder in here for file in folder.rglob("*") if file.is_file())
    # Bytecode comes and goes without a change of the code.
    return sorted(file for file in files if file.parent.name != "__pycache__")


def _write_data(connection: Connection, rows: Sequence[Row], version: str, problems: list[str]) -> None:
    """Write the runs above the cells of one data set, and the description and the views of its experiment."""
    known = connection.known_runs()
    groups = grouped(rows)
    keys = {table_key(of[0]) for of in groups} | {strategy_key(row) for row in rows}
    # The page and the advice rest on all tables of the data, so that one that changed makes all of them outdated.
    if all(key in known for key in keys) and all(known[table_key(of[0])].version == version for of in groups):
        return
    comparisons = compare(rows)
    html = _page(connection, rows, problems)
    for comparison, of in zip(comparisons, groups, strict=True):
        *strategies, table = summaries(comparison, of)
        for summary in strategies:
            digest = _digest([_code(), dataclasses.astuple(summary.content), summary.table])
            if summary.key not in known or known[summary.key].version != digest:
                folder = _folder(connection, summary)
                write_table(folder / "splits.csv", summary.table)
                _fill(connection, summary, digest)
        folder = _folder(connection, table)
        write_table(folder / "ranking.json", table.table)
        if html:
            (folder / "report.html").write_text(html, encoding="utf-8", errors="replace")
        draw_summary(of, folder, connection.artifacts / ".pictures", problems.append)
        _fill(connection, table, version)
    _describe(connection, rows, comparisons)


def _page(connection: Connection, rows: Sequence[Row], problems: list[str]) -> str:
    """The report on a data set as a page; "" if it cannot be made."""
    where = _where(connection)
    words = ["equipoise", "report", "--html", "report.html", *(["--results", where] if where else [])]
    try:
        return page_html(rows, connection.store, None, shlex.join(words), where)
    except Exception as error:
        problems.append(f"no page for {rows[0]['dataset']} ({one_line(error)})")
        return ""


def _where(connection: Connection) -> str:
    """The store's folder for commands; "" for the one that they use by default."""
    path = connection.store.path.resolve()
    return "" if path == Path("results/live").resolve() else str(path)


def _folder(connection: Connection, summary: Summary) -> Path:
    """The empty folder for the files of a run, which is created if it does not exist yet."""
    client, known = connection.client(), connection.known_runs()
    if summary.key not in known:
        content = summary.content
        experiment = connection.experiment_id(summary.row)
        run = client.create_run(experiment, content.start, {KEY: summary.key}, content.name)
        known[summary.key] = KnownRun(run.info.run_id, "")
        client.log_inputs(run.info.run_id, [view.dataset_input(summary.row)])
    folder = connection.folder(summary.row, known[summary.key].run_id)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _fill(connection: Connection, summary: Summary, version: str) -> None:
    """Write everything that the database holds of a run, in one step."""
    run_id, content = connection.known_runs()[summary.key].run_id, summary.content
    content = dataclasses.replace(content, tags={**content.tags, VERSION: version})
    fill_run(connection.database, run_id, content)
    connection.known_runs()[summary.key] = KnownRun(run_id, version)


def _describe(connection: Connection, rows: Sequence[Row], comparisons: Sequence[Comparison]) -> None:
    """Write the description of an experiment, unless a user has edited it, and its saved views."""
    client, number = connection.client(), connection.experiment_id(rows[0])
    tags: Mapping[str, str] = client.get_experiment(number).tags
    text = experiment_description(comparisons, advise(comparisons, _where(connection)))
    now, written = tags.get(NOTE, ""), tags.get(WRITTEN)
    # Before there was such a tag, descriptions began with these words.
    ours = not now or _digest(now) == written or (written is None and "Balancing strategies on " in now)
    wanted = saved_views(min(view.span(row)[0] for row in rows))
    wanted = {name: value for name, value in wanted.items() if not _edited(tags.get(name))}
    if ours:
        wanted |= {NOTE: text, WRITTEN: _digest(text)}
    # Each tag is a request to the database, and most are as they were.
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
