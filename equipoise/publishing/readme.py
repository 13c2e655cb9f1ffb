"""The README of a published folder: generated facts, and a place for the finding, which a person writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.publishing.rows import amount
from equipoise.publishing.suites import progress, summary

BEGIN = "<!-- finding: begin. Write between these marks only; publishing again keeps what is here. -->"
END = "<!-- finding: end -->"
#: What stands there until somebody has written the finding.
UNWRITTEN = (
    "*The finding has not been written yet: what works, what does not, for whom, and what could not be told.*"
)


def finding_of(text: str) -> str:
    """What a README has between the marks, without surrounding blank lines; UNWRITTEN where there are no marks."""
    _, begin, rest = text.partition(BEGIN)
    inside, end, _ = rest.partition(END)
    return inside.strip("\n") if begin and end else UNWRITTEN


def has_marks(text: str) -> bool:
    """Whether a README has the two marks of the finding, in their order."""
    return END in text.partition(BEGIN)[2]


def without_finding(text: str) -> str:
    """A README with nothing between its marks; this part is generated, and its hash is in the manifest."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{end}{after}" if begin and end else text


def written(text: str) -> bool:
    """Whether somebody has written the finding of a README."""
    return finding_of(text) not in ("", UNWRITTEN)


def withdrawn(text: str) -> bool:
    """Whether the first line of the finding of a README says that the result is withdrawn."""
    return "withdrawn" in finding_of(text).strip().partition("\n")[0].lower()


def readme(manifest: Mapping[str, Any], finding: str, states: Mapping[str, int]) -> str:
    """The README of a folder.

    Args:
        manifest: everything but the hash of the README.
        finding: kept from an earlier README, or UNWRITTEN.
        states: the number of rows by their status.
    """
    lines = [
        f"# {manifest['name']}",
        "",
        BEGIN,
        "",
        finding,
        "",
        END,
        "",
        *(_pictures(manifest["pictures"]) if manifest.get("pictures") else ()),
        "## How it was made",
        "",
        *_table(manifest, states),
        "",
        "```sh",
        *manifest["commands"],
        "```",
        "",
        *(line for suite in manifest.get("suites", ()) for line in _suite(suite)),
        *(_history(manifest["history"]) if len(manifest.get("history", ())) > 1 else ()),
        "## The data",
        "",
        "| data set | terms | sha256 of its content begins with |",
        "|---|---|---|",
        *(_data(one) for one in manifest["data"]),
        "",
        "## Files",
        "",
        *_files(manifest),
        *(_submission(manifest) if manifest["plugins"] else ()),
        "",
        "## Check it",
        "",
        "```sh",
        f"equipoise verify {_folder(manifest)} --sample 2",
        "```",
        "",
        "## Cite it",
        "",
        f"*{_citation(manifest)}*. The digits stand for the exact rows: they begin `rows_sha256` in `manifest.json`.",
        "",
    ]
    return "\n".join(lines)


def _folder(manifest: Mapping[str, Any]) -> str:
    return f"results/{manifest['kind']}/{manifest['name']}"


#: Tables and pictures of a folder by the beginning of their names, with what they hold.
_HOLDS = {
    "means.csv": "the mean of each strategy in each table, its rank and state",
    "differences.csv": "each strategy minus `none`, with intervals and p-values",
    "per_label.csv": "the results for each label",
    "cost.csv": "seconds and core-hours",
    "effects.csv": "the mean difference of each strategy over data sets",
    "ranking.csv": "the ranking over data sets",
    "effects-": "pictures of the effects",
    "ranks-": "critical-difference diagrams",
    "cost-": "cost beside quality",
}


def _files(manifest: Mapping[str, Any]) -> list[str]:
    """A line for each file or group of pictures that is there."""
    names = manifest["files"]
    lines = [f"- `{suite['file']}`: the suite." for suite in manifest.get("suites", ()) if suite["file"]]
    lines += [
        "- [index.html](index.html): the report as one page, with everything that the tables say.",
        "- `rows.jsonl.gz`: the rows, one line of JSON each (results/README.md lists the fields).",
    ]
    for name, words in _HOLDS.items():
        shown = name if name.endswith(".csv") else f"{name}*.svg"
        lines += [f"- `{shown}`: {words}."] if any(file.startswith(name) for file in names) else []
    lines += ["- `manifest.json`: these facts for programs, and the sha256 of each file."]
    if why := manifest.get("missing"):
        lines.append(f"\nThere are no effects, ranking and pictures over data sets: {_cell(why)}.")
    return lines


def _citation(manifest: Mapping[str, Any]) -> str:
    versions = " and ".join(manifest["versions"].get("equipoise", ["of an unknown version"]))
    return f"equipoise {manifest['name']} (equipoise {versions}, rows {manifest['rows_sha256'][:12]})"


#: The first word of a picture's name, and what it shows.
_SHOWS = {"effects": "Mean differences from none", "ranks": "Average ranks"}


def _pictures(names: Sequence[str]) -> list[str]:
    listed = ((name, *name.removesuffix(".svg").partition("-")[::2]) for name in names)
    shown = [f"![{_SHOWS.get(kind, kind)}: {rest}]({name})" for name, kind, rest in listed]
    return ["## Over the data sets", "", *(line for one in shown for line in (one, ""))]


def _table(manifest: Mapping[str, Any], states: Mapping[str, int]) -> list[str]:
    history = manifest.get("history", ())
    # A folder that has grown may have rows of several machines.
    machines = dict.fromkeys([_machine(manifest["machine"]), *(_machine(one["machine"]) for one in history)])
    cells = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    metrics = manifest.get("metrics_code", ())
    facts = {
        "Published": manifest["published"]
        + (f"; rows were last added on {history[-1]['date']}" if history[1:] else ""),
        "Rows": f"{manifest['rows']} ({cells})",
        "Cost": f"{amount(manifest['core_hours'])} core-hours in the cells",
        "Machine": "; ".join(machines),
        "CPU capability": ", ".join(manifest["cpu"]) or "not recorded",
        "Versions": ", ".join(
            f"{name} {' and '.join(found)}" for name, found in manifest["versions"].items()
        ),
        "Versions of the code": _code(manifest["code"]),
        **({"Versions of the metrics": ", ".join(f"`{one}`" for one in metrics)} if len(metrics) > 1 else {}),
        "Random seeds": ", ".join(map(str, manifest.get("seeds", []))) or "0",
    }
    return ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in facts.items())]


def _machine(machine: Mapping[str, Any]) -> str:
    memory = f", {machine['memory_gib']} GiB of memory" if machine.get("memory_gib") else ""
    where = f"{machine.get('processor')}, {machine.get('cores')} cores{memory}, {machine.get('system')}"
    return str(machine.get("description") or where)


def _history(states: Sequence[Mapping[str, Any]]) -> list[str]:
    """The states of a folder that has grown; rows were only added from one to the next."""
    return [
        "## How it has grown",
        "",
        "| date | rows | core-hours | sha256 of the rows |",
        "|---|---:|---:|---|",
        *(
            f"| {s['date']} | {s['rows']} | {amount(s['core_hours'])} | `{s['rows_sha256']}` |"
            for s in states
        ),
        "",
    ]


def _code(engines: Sequence[str]) -> str:
    if len(engines) == 1:
        return f"one engine, `{engines[0]}`"
    return f"{len(engines)} engines ({', '.join(f'`{one}`' for one in engines)}): their rows may not be comparable to the bit"


def _suite(suite: Mapping[str, Any]) -> list[str]:
    """What is published of a suite, block for block."""
    blocks, here = suite["blocks"], summary(suite)
    return [
        f"## What is here of the suite {suite['name']}",
        "",
        # No total of cells, since a cell may stand in two blocks.
        f"{here[0].upper()}{here[1:]}. Rows of blocks that are not complete are "
        + ("here, too." if any(b["published"] and not b["complete"] for b in blocks) else "not here."),
        "",
        # What is long comes last: on a narrow screen it may be out of sight.
        "| block | rows here | state | backbone | data sets |",
        "|---:|---|---|---|---|",
        *(
            f"| {b['number']} | {'yes' if b['published'] else 'no'} | {progress(b)} | {_cell(', '.join(b['backbones']))} | "
            f"{_cell(', '.join(b['datasets']))} |"
            for b in blocks
        ),
        "",
    ]


def _data(one: Mapping[str, Any]) -> str:
    generated = " (generated)" if one["generated"] else ""
    # The whole hash is in the manifest; here it would leave the terms no room.
    return f"| {_cell(one['name'])}{generated} | {_cell(one['terms'])} | `{one['sha256'][:16]}` |"


def _submission(manifest: Mapping[str, Any]) -> list[str]:
    parts = ", ".join(
        f"`{one['file']}`" if one.get("file") else f"{one['distribution']} {one['version']}"
        for one in manifest["plugins"]
    )
    return [f"- The plugin: {parts}; `conformance.json`: what the conformance kit says of its strategies."]


def _cell(value: Any) -> str:
    """A value inside a table of Markdown: one line, and no bar."""
    return " ".join(str(value).split()).replace("|", "\\|")
