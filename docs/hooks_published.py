"""MkDocs hooks for published results: a page for each folder, and the measured effects on the pages of the strategies.

The numbers are those of effects.csv in the folders, which `equipoise publish` computes from their rows; the folders of suites
whose names begin with "leaderboard" count. `extra: published:` in mkdocs.yml names another folder than results/published.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from equipoise.catalog.parts import parts
from equipoise.core.errors import EquipoiseError
from equipoise.publishing.folder import PAGE, README, PublishedFolder, read_folder
from equipoise.publishing.readme import withdrawn
from equipoise.publishing.suites import summary
from equipoise.publishing.tables import EFFECTS
from equipoise.rankings.families import family

ROOT = Path(__file__).parent.parent
LEADERBOARD = "leaderboard"
#: Metric of effects.csv → heading. The last column is there only where a strategy has a decision of its own.
COLUMNS = {"map": "mAP", "tuned_macro_f1": "macro-F1, tuned", "fixed_macro_f1": "macro-F1 at ½"}
OWN = "own_macro_f1"
#: The backbone of the overview, on which most data sets are run.
OVERVIEW = "linear"
UNMEASURED = "Not measured in a published leaderboard yet."
#: A link to a file beside the README or above it.
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")
Line = dict[str, str]


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each published folder, with its pictures and its report."""
    folders = _folders(config)
    names = {folder.name for folder in folders}
    for folder in folders:
        files.append(
            File.generated(config, f"published/{folder.name}.md", content=folder_page(folder, names))
        )
        for file in sorted(folder.path.iterdir()):
            if _in_site(file.name):
                place = f"published/{folder.name}/{file.name}"
                files.append(File.generated(config, place, content=file.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Add the measured effects to the pages of strategies, and the folders to the page about published results."""
    path, folders = page.file.src_path, _folders(config)
    if path == "published.md":
        # First, since readers come for the results.
        head, heading, rest = markdown.partition("## ")
        return f"{head}{folder_list(folders)}\n{heading}{rest}"
    if path == "strategies.md":
        return with_overview(markdown, leaderboards(folders))
    if path.startswith("strategies/"):
        first = (ROOT / "docs" / "effects.md").read_text(encoding="utf-8")
        name = Path(path).stem
        return f"{markdown}\n{strategy_section(name, leaderboards(folders), f'`{name}`' in first)}"
    return markdown


def _folders(config: Any) -> list[PublishedFolder]:
    return published(ROOT / config["extra"].get("published", "results/published"))


def published(root: Path) -> list[PublishedFolder]:
    """The folders under a root that can be read, the newest first; those published by hand have no manifest and no page."""
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        # What a publication that was killed may have left.
        if path.name.startswith("."):
            continue
        try:
            found.append(read_folder(path))
        except EquipoiseError:
            continue
    return sorted(found, key=lambda folder: str(folder.manifest["published"]), reverse=True)


def leaderboards(folders: Iterable[PublishedFolder]) -> list[PublishedFolder]:
    """The folders that count for the effects of strategies: of a leaderboard, with effects, and not withdrawn."""
    return [
        folder
        for folder in folders
        if any(str(suite["name"]).startswith(LEADERBOARD) for suite in folder.manifest.get("suites") or ())
        and (folder.path / EFFECTS).is_file()
        and not withdrawn((folder.path / README).read_text(encoding="utf-8"))
    ]


@lru_cache
def effects(file: Path) -> tuple[Line, ...]:
    """The lines of an effects.csv."""
    with file.open(encoding="utf-8", newline="") as text:
        return tuple(csv.DictReader(text))


def folder_page(folder: PublishedFolder, names: Collection[str] = ()) -> str:
    """The README of a folder as a page of the site: links to files that are not in the site become names.

    `names` are the folders that have a page.
    """

    def moved(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        if _in_site(target) and (folder.path / target).is_file():
            return f"{picture}[{words}]({folder.name}/{target})"
        if (other := re.fullmatch(r"\.\./([^/]+)/README\.md", target)) and other[1] in names:
            return f"[{words}]({other[1]}.md)"
        if target.startswith("../../../docs/"):
            return f"{picture}[{words}](../{target.removeprefix('../../../docs/')})"
        return f"{words} (`{target}` in results/published/{folder.name})"

    return LINK.sub(moved, (folder.path / README).read_text(encoding="utf-8"))


def _in_site(name: str) -> bool:
    return name == PAGE or name.endswith(".svg")


def folder_list(folders: Sequence[PublishedFolder]) -> str:
    """A table with a line for each folder."""
    lines = []
    for folder in folders:
        link = f"[{folder.name}](published/{folder.name}.md)"
        cells = [link, str(folder.manifest["published"]), str(folder.manifest["rows"]), _scope(folder)]
        lines.append(f"| {' | '.join(cells)} |")
    head = (
        "## The folders\n\n| folder | published | rows | what it covers of its suite |\n|---|---|---:|---|\n"
    )
    return head + "\n".join(lines) + "\n"


def _scope(folder: PublishedFolder) -> str:
    return "; ".join(summary(suite) for suite in folder.manifest.get("suites") or ())


def strategy_section(name: str, folders: Sequence[PublishedFolder], elsewhere: bool = False) -> str:
    """What the leaderboards say of a strategy, by itself and in compositions. `elsewhere`: effects.md has first numbers of it."""
    if name == "none":
        return "## Measured effect\n\nThe effects of all other strategies are differences from this one.\n"
    tables = [table for folder in folders if (table := _table(name, folder))]
    more = " [First effects](../effects.md) has numbers of three data sets." if elsewhere else ""
    return "\n".join(["## Measured effect\n", *(tables or [UNMEASURED + more]), ""])


def _table(name: str, folder: PublishedFolder) -> str:
    own = [line for line in effects(folder.path / EFFECTS) if name in _names(line["strategy"])]
    if not own:
        return ""
    decides = any(line["metric"] == OWN for line in own)
    columns = COLUMNS | ({OWN: "own decision"} if decides else {})
    head = ["backbone", "data sets", *columns.values(), "best and worst data set, mAP"]
    lines = [f"| {' | '.join(head)} |", f"|---|---:|{'---|' * (len(columns) + 1)}"]
    # The strategy by itself before its compositions.
    pairs = dict.fromkeys((line["backbone"], line["strategy"]) for line in own)
    for backbone, spec in sorted(
        pairs, key=lambda pair: (pair[0] != OVERVIEW, pair[0], "+" in pair[1], pair[1])
    ):
        by_metric = {
            line["metric"]: line for line in own if (line["backbone"], line["strategy"]) == (backbone, spec)
        }
        lead = by_metric.get("map", {})
        cells = [_estimate(by_metric.get(metric)) for metric in columns]
        # The name of the page needs no repetition; a column more would not fit on it.
        first = backbone if spec == name else f"{backbone}<br>`{spec}`"
        lines.append(f"| {' | '.join([first, _count(lead), *cells, _extremes(lead)])} |")
    words = "Mean difference from `none` over data sets, and its 95 % interval from five data sets on; 0: the same scores on all"
    if decides:
        words += "; own decision: its macro-F1 minus that of `none` with tuned thresholds"
    source = f"[{folder.name}](../published/{folder.name}.md)"
    return f"{words}. From {source}: {_scope(folder)}.\n\n" + "\n".join(lines) + "\n"


def _names(spec: str) -> list[str]:
    return [part.name for part in parts(spec)]


def with_overview(markdown: str, folders: Sequence[PublishedFolder]) -> str:
    """The page of all strategies with the measured effects on linear models above its table."""
    start = markdown.find("\n| name |")
    if start < 0 or not folders:
        return markdown
    overview = _overview(folders[0])
    return f"{markdown[:start]}\n{overview}\n\n## All strategies\n{markdown[start:]}"


def _overview(folder: PublishedFolder) -> str:
    by_strategy: dict[str, dict[str, Line]] = {}
    for line in effects(folder.path / EFFECTS):
        if line["backbone"] == OVERVIEW:
            by_strategy.setdefault(line["strategy"], {})[line["metric"]] = line
    lines = []
    for spec, of in sorted(by_strategy.items(), key=lambda item: -float(item[1]["map"]["mean"])):
        estimates = [_estimate(of.get(metric)) for metric in ("map", "tuned_macro_f1")]
        lines.append(f"| {' | '.join([_linked(spec), family(spec), _count(of['map']), *estimates])} |")
    return "\n".join(
        [
            "## Measured effects\n",
            f"Mean differences from `none` with the backbone `{OVERVIEW}`, and their 95 % intervals, from "
            f"[{folder.name}](published/{folder.name}.md): {_scope(folder)}. In the order of the mean difference in mAP; "
            "strategies whose intervals overlap are not told apart by their order. 0: the same scores as "
            "`none` on every data set.\n",
            "| strategy | stage | data sets | mAP | macro-F1, tuned |\n|---|---|---:|---|---|",
            *lines,
        ]
    )


def _linked(spec: str) -> str:
    """A strategy with a link to its page; the parts of a composition each have one."""
    return (
        " + ".join(
            f"[`{part.name}{part.settings}`](strategies/{part.name}.md)"
            for part in parts(spec)
            if not part.file
        )
        or f"`{spec}`"
    )


def _count(line: Mapping[str, str]) -> str:
    if not line:
        return ""
    generated = int(line["generated"])
    return line["datasets"] + (f" ({generated} generated)" if generated else "")


def _estimate(line: Mapping[str, str] | None) -> str:
    if line is None:
        return ""
    # Joined by a space that does not break, so that the interval stays on one line.
    interval = f"<br>[{_signed(line['low'])},\u00a0{_signed(line['high'])}]" if line["low"] else ""
    return "0" if _nothing(line) else _signed(line["mean"]) + interval


def _extremes(line: Mapping[str, str]) -> str:
    if not line or _nothing(line):
        return ""
    return (
        f"{line['best_dataset']} {_signed(line['best'])}<br>{line['worst_dataset']} {_signed(line['worst'])}"
    )


def _nothing(line: Mapping[str, str]) -> bool:
    return float(line["best"]) == float(line["worst"]) == 0


def _signed(number: str) -> str:
    """ "−.012": three digits, as in reports; ".000" has no sign."""
    text = f"{float(number):+.3f}".replace("-", "−").replace("0.", ".", 1)
    return text[1:] if text[1:] == ".000" else text
