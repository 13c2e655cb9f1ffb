"""The README of a published folder: generated facts, and a place for the finding, which a person writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.publishing.coverage import progress, summary

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
    """Whether the finding of a README begins by withdrawing the result."""
    return "withdrawn" in finding_of(text).partition("\n")[0].lower()


def readme(manifest: Mapping[str, Any], finding: str, states: Mapping[str, int]) -> str:
    """The README of a folder.

    Args:
        manifest: everything but the hashes of the files.
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
        "| data set | sha256 of its content | terms |",
        "|---|---|---|",
        *(_data(one) for one in manifest["data"]),
        "",
        "## Files",
        "",
        *(f"- `{one['file']}`: the suite." for one in manifest.get("suites", ()) if one["file"]),
        "- [index.html](index.html): the report as one page, with everything that the tables say.",
        "- `rows.jsonl.gz`: the rows, one line of JSON each (results/README.md lists the fields).",
        "- `means.csv`, `differences.csv`, `per_label.csv`, `cost.csv`; with several data sets also `effects.csv`, `ranking.csv` "
        "and pictures (`effects-…`, `ranks-…` and `cost-….svg`).",
        "- `manifest.json`: these facts for programs, and the sha256 of each file.",
        *(_submission(manifest) if manifest["plugins"] else ()),
        "",
        "## Check it",
        "",
        "```sh",
        f"equipoise verify {_folder(manifest)} --sample 2",
        "```",
        "",
    ]
    return "\n".join(lines)


def _folder(manifest: Mapping[str, Any]) -> str:
    return f"results/{manifest['kind']}/{manifest['name']}"


def _pictures(names: Sequence[str]) -> list[str]:
    shown = [line for name in names for line in (f"![{name.removesuffix('.svg')}]({name})", "")]
    return ["## Over the data sets", "", *shown]


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
        "Cost": f"{manifest['core_hours']:.3g} core-hours in the cells",
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
        *(f"| {s['date']} | {s['rows']} | {s['core_hours']:.3g} | `{s['rows_sha256']}` |" for s in states),
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
        "| block | backbone | data sets | state | rows here |",
        "|---:|---|---|---|---|",
        *(
            f"| {b['number']} | {_cell(', '.join(b['backbones']))} | {_cell(', '.join(b['datasets']))} | {progress(b)} | "
            f"{'yes' if b['published'] else 'no'} |"
            for b in blocks
        ),
        "",
    ]


def _data(one: Mapping[str, Any]) -> str:
    generated = " (generated)" if one["generated"] else ""
    return f"| {_cell(one['name'])}{generated} | `{one['sha256']}` | {_cell(one['terms'])} |"


def _submission(manifest: Mapping[str, Any]) -> list[str]:
    parts = ", ".join(
        f"`{one['file']}`" if one.get("file") else f"{one['distribution']} {one['version']}"
        for one in manifest["plugins"]
    )
    return [f"- The plugin: {parts}; `conformance.json`: what the conformance kit says of its strategies."]


def _cell(value: Any) -> str:
    """A value inside a table of Markdown: one line, and no bar."""
    return " ".join(str(value).split()).replace("|", "\\|")
