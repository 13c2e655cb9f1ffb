"""Options that commands share, and options derived from the fields of a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, get_args

import typer

from equipoise.contracts.options import options, value_type
from equipoise.core.errors import EquipoiseError
from equipoise.core.lazy import lazy
from equipoise.datasets._table_options import TableOptions
from equipoise.experiment.settings import Settings as SettingsFields

if TYPE_CHECKING:
    from equipoise.cluster.executor import Cluster


class What(StrEnum):
    """The kinds of names that `list` prints."""

    strategies = "strategies"
    datasets = "datasets"
    backbones = "backbones"
    suites = "suites"


class New(StrEnum):
    """The kinds of plugins for which `new` has a template."""

    strategy = "strategy"
    backbone = "backbone"
    dataset = "dataset"


@dataclasses.dataclass(frozen=True)
class Fields:
    """Marks a parameter that stands for one option for each field of a dataclass; see `derived`."""

    owner: type
    panel: str


Names = Optional[list[str]]  # noqa: UP045 - typer reads it
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Results = Annotated[Path, typer.Option(help="The folder of the results: rows, predictions, MLflow.")]
DataDir = Annotated[Optional[Path], typer.Option(help="The download cache (default: $EQUIPOISE_DATA).")]  # noqa: UP045
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Into = Annotated[Path, typer.Option(metavar="DIR", help="The folder in which the new one is made.")]
Machine = Annotated[
    str,
    typer.Option(help="What the rows were made on, in words, if not on this machine.", show_default=False),
]
Plugin = Annotated[Names, typer.Option("--plugin", help="A plugin file to load as well. Repeat for more.")]
Reuse = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option(
        metavar="DIR",
        help="Take the rows of this published folder that fit. Repeat for more.",
        show_default=False,
    ),
]
LIVE = Path("results/live")
CLUSTER = "Other machines (docs/cluster.md)"
Suite = Annotated[Optional[str], typer.Argument(help="A suite's name or TOML file.")]  # noqa: UP045
Datasets = Annotated[Names, typer.Option(help="A name, or the path of a file. Repeat for more.")]
Splits = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        help="Outer splits: a number (3 unless a suite says otherwise; a verdict needs 5 or more), or official."
    ),
]
CellTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(metavar="SECONDS", help="The most time that a cell may take; then it has failed."),
]
WorkerCount = Annotated[
    str, typer.Option(help="Processes: a number, or auto: as many as CPUs, memory and cells allow.")
]
ClusterUrl = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--cluster",
        metavar="tcp://HOST:PORT",
        help="Run on the workers of this dask scheduler (extra cluster).",
        rich_help_panel=CLUSTER,
    ),
]
TlsCa = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="For tls://: the authority's PEM file.", rich_help_panel=CLUSTER),
]
TlsCert = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="For tls://: the certificate.", rich_help_panel=CLUSTER),
]
TlsKey = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="For tls://: the private key.", rich_help_panel=CLUSTER),
]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed",
        help="Also use workers with other library versions or CPUs; rows say what they ran on.",
        rich_help_panel=CLUSTER,
    ),
]
ACROSS = "Across data sets (extra statistics)"
Across = Annotated[
    bool,
    typer.Option(
        "--across",
        help="Rank the strategies over all data sets instead: ties, mean differences, cost.",
        rich_help_panel=ACROSS,
    ),
]
RankBy = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="map or tuned_macro_f1; both by default.", rich_help_panel=ACROSS),
]
Wins = Annotated[
    bool,
    typer.Option("--wins", help="Also print who wins on how many data sets.", rich_help_panel=ACROSS),
]
Also = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option(metavar="DIR", help="Another folder of results. Repeat for more.", rich_help_panel=ACROSS),
]
Pictures = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(metavar="DIR", help="Draw ranks, ties and costs into this folder.", rich_help_panel=ACROSS),
]
Table = Annotated[
    dict[str, Any], Fields(TableOptions, "Your own data (detected where no option says it, and reported)")
]
Settings = Annotated[
    dict[str, Any],
    Fields(SettingsFields, "Settings, the same for every strategy (a suite has defaults of its own)"),
]


def check_page(html: Path | None) -> None:
    """Refuse to write a page over a table of data or the rows of a store.

    Raises:
        EquipoiseError: the file of `--html` is called otherwise than a page.
    """
    if html is not None and html.suffix.lower() not in (".html", ".htm") and not html.is_dir():
        raise EquipoiseError(f"--html must end in .html or .htm; got {str(html)!r}")


def across(wanted: bool, picture: Path | None, html: Path | None, **others: Any) -> bool:
    """Whether `report` ranks over data sets.

    Raises:
        EquipoiseError: options that go with `--across` stand alone, or `--picture` or `--html`, which do not, stand with it.
    """
    if wanted and picture is not None:
        raise EquipoiseError("--picture draws the tables; with --across, draw with --pictures DIR")
    if wanted and html is not None:
        raise EquipoiseError("--html writes a page that has the rankings in it: leave out --across")
    if not wanted and (alone := [name for name, value in others.items() if value]):
        raise EquipoiseError(f"--{alone[0]} goes with --across")
    return wanted


def cluster_of(
    url: str | None, allow_mixed: bool, ca: Path | None, cert: Path | None, key: Path | None
) -> Cluster | None:
    """The cluster that these options of `run` describe; None without `--cluster`.

    Raises:
        EquipoiseError: the address is wrong, or options that go with `--cluster` stand alone.
    """
    if url is not None:
        return lazy("equipoise.cluster.executor").Cluster(url, ca, cert, key, allow_mixed)
    if allow_mixed or ca or cert or key:
        raise EquipoiseError("--allow-mixed and the options of TLS go with --cluster")
    return None


def derived(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command for typer in which each parameter marked with `Fields` has become the options of that dataclass.

    In place of that parameter, the command gets a dictionary of the options that the user gave.
    """
    # Annotations are stored as text here; typer and `get_args` need what they stand for.
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, list[str]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        marks = [mark for mark in get_args(parameter.annotation) if isinstance(mark, Fields)]
        added = [_parameter(f, marks[0].panel) for f in options(marks[0].owner)] if marks else [parameter]
        parameters += added
        if marks:
            groups[parameter.name] = [p.name for p in added]

    @functools.wraps(command)
    def called(**values: Any) -> Any:
        for group, names in groups.items():
            own = {name: values.pop(name) for name in names}
            values[group] = {name: value for name, value in own.items() if value is not None}
        return command(**values)

    # By keyword only: `Signature` refuses a positional parameter without a default after one that has one.
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    # typer reads the options from these two.
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


def _parameter(field: dataclasses.Field[Any], panel: str) -> inspect.Parameter:
    """An option for a field. It is None if the user does not give it, since a suite may have a default of its own."""
    kind = value_type(field) or str
    name = field.name.replace("_", "-")
    option = typer.Option(
        *([f"--{name}/--no-{name}"] if kind is bool else [f"--{name}"]),
        help=_help(field),
        rich_help_panel=panel,
        show_default=False if field.default is None else str(field.default).lower(),
    )
    annotation = Annotated[Optional[kind], option]  # type: ignore[valid-type]  # noqa: UP045
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(field: dataclasses.Field[Any]) -> str:
    words = field.metadata.get("help", "")
    if choices := field.metadata.get("choices"):
        *others, last = map(str, choices)
        words += f": {', '.join(others)} or {last}" if others else f": {last}"
    return words if words.endswith("…") else f"{words}."
