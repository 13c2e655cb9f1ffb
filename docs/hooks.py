"""MkDocs hooks: pages made from the registry, and names in place of links that leave the folder of the pages.

One page for every built-in strategy is made when the site is built, so it cannot fall behind the code. The tables of
strategies, data sets and backbones link to sections of it.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from equipoise.catalog.registry import registry
from equipoise.cli.info.records import strategy_record

# A link to a file of the repository outside of docs/, which is not part of the site: [text](../benchmarks/by_hand.py).
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")

ROOT = Path(__file__).parent.parent


def on_config(config: Any) -> Any:
    """Lay the modules out as mkdocstrings finds them, so that a fresh clone, or one whose modules have moved, can be built."""
    runpy.run_path(str(ROOT / ".typing" / "link.py"))["main"]()
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {f"strategies/{name}.md": strategy_page(name) for name in _built_in("strategy")}
    pages["datasets.md"] = listing(
        "dataset", "Data sets", "`equipoise info NAME` adds size, imbalance, terms and source."
    )
    pages["backbones.md"] = listing(
        "backbone", "Backbones", "[training.md](training.md) says how they are trained."
    )
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name files outside the site instead of linking to them, and link each strategy of the table to its page."""
    markdown = OUTSIDE.sub(r"\1 (`\2` in the repository)", markdown)
    if page.file.src_path == "strategies.md":
        markdown = re.sub(r"^\| `(\w+)` \|", r"| [`\1`](strategies/\1.md) |", markdown, flags=re.MULTILINE)
    return markdown


def _built_in(kind: str) -> list[str]:
    return [entry.name for entry in registry(kind).entries() if entry.origin == "built-in"]


def strategy_page(name: str) -> str:
    """The page of one strategy: summary, formula and variant, hyperparameters, what it needs, source."""
    record = strategy_record(registry("strategy").get(name))
    about = (record.get("about") or "").strip()
    facts = {
        "Stage": ", ".join(record["stages"]) or "none",
        "Needs": ", ".join(record["needs"]) or "nothing in particular",
        "Equals `none` at": ", ".join(f"`{key}={value}`" for key, value in (record["off"] or {}).items()),
        "Source": record["reference"],
    }
    lines = [
        f"# {name}",
        record["summary"],
        about,
        *(f"**{key}:** {value}" for key, value in facts.items() if value),
    ]
    if record["search"]:
        rows = "\n".join(f"| `{field}` | {_range(spec)} |" for field, spec in record["search"].items())
        lines.append(f"| hyperparameter | default and range of the search |\n|---|---|\n{rows}")
    lines.append(f"```sh\n{command(name, record)}\n```")
    return "\n\n".join(line for line in lines if line) + "\n"


def command(name: str, record: dict[str, Any]) -> str:
    """A command that measures the strategy beside `none`, on data and a backbone that have what it needs."""
    on, spec = "emotions --backbone mlp", name
    if "file" in record["needs"]:
        on, spec = "mails.csv --backbone linear", f"'{name}[file=./more.csv]'"
    strategies = " ".join(f"--strategy {each}" for each in dict.fromkeys(("none", spec)))
    return f"equipoise run --dataset {on} {strategies} --splits 5"


def _range(spec: dict[str, Any]) -> str:
    if "choices" in spec:
        return f"{spec['default']}; one of {', '.join(map(str, spec['choices']))}"
    scale = ", on a logarithmic scale" if spec.get("log") else ""
    return f"{spec['default']}; {spec['low']} to {spec['high']}{scale}"


def listing(kind: str, title: str, more: str) -> str:
    """A page with a table of the names of one kind and a line about each."""
    rows = [f"| `{name}` | {_summary(kind, name)} |" for name in _built_in(kind)]
    return f"# {title}\n\n{more}\n\n| name | what it is |\n|---|---|\n" + "\n".join(rows) + "\n"


def _summary(kind: str, name: str) -> str:
    found = next(entry for entry in registry(kind).entries() if entry.name == name)
    return found.summary.replace("|", "\\|")
