"""Suites: TOML files, of the package or of the user, that name the cells to run."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from equipoise.catalog.parts import beside
from equipoise.contracts.options import options, value_type
from equipoise.core.errors import EquipoiseError, shown, unknown
from equipoise.core.paths import is_file
from equipoise.experiment.settings import Settings
from equipoise.splits.outer import OFFICIAL, Split

_LISTS = ("datasets", "backbones", "strategies")
#: The keys at the top of a suite; a block may have all of them but the title and blocks.
_TOP = {"title", "splits", "seed", "cell_timeout", "settings", "blocks", *_LISTS}
#: More splits, or more cells of a suite, are a slip of the pen. A plan takes about 10 KB for each cell.
MOST_SPLITS, MOST_CELLS = 10_000, 100_000
MOST_SECONDS = 365 * 86_400


def check_seed(seed: int) -> None:
    """Raise EquipoiseError unless a seed is from 0 to 2**63 − 1, as far as every generator of random numbers takes them."""
    if seed < 0:
        raise EquipoiseError(f"seed must be 0 or more, got {shown(seed)}")
    if seed >= 2**63:
        raise EquipoiseError(f"seed must be below 2**63, got {shown(seed)}")


@dataclass(frozen=True)
class Block:
    """Every combination of some data sets, backbones and strategies, with the same settings.

    Attributes:
        splits: the number of outer splits, or "official".
        cell_timeout: the most seconds that a cell may take; None for no limit.
    """

    datasets: tuple[str, ...]
    backbones: tuple[str, ...]
    strategies: tuple[str, ...]
    settings: Settings = field(default_factory=Settings)
    splits: Split = 3
    seed: int = 0
    cell_timeout: float | None = None

    def __post_init__(self) -> None:
        for name in _LISTS:
            if not getattr(self, name):
                raise EquipoiseError(f"no {name} given: name at least one")
        if self.splits != OFFICIAL and (not isinstance(self.splits, int) or self.splits < 1):
            raise EquipoiseError(f"splits must be 1 or more, or {OFFICIAL}, got {shown(self.splits)}")
        if isinstance(self.splits, int) and self.splits > MOST_SPLITS:
            raise EquipoiseError(
                f"splits must be {MOST_SPLITS:,} or fewer, or {OFFICIAL}, got {shown(self.splits)}"
            )
        check_seed(self.seed)
        limit = self.cell_timeout
        number = limit is None or (isinstance(limit, int | float) and not isinstance(limit, bool))
        # Not `limit <= 0`, which is False for NaN; a year is longer than any cell.
        if not number or (limit is not None and not 0 < limit <= MOST_SECONDS):
            raise EquipoiseError(
                f"cell_timeout must be a number of seconds above 0, at most {MOST_SECONDS:,}, got {shown(limit)}"
            )

    @property
    def outer_splits(self) -> tuple[Split, ...]:
        """The outer splits: 0, 1, …, or "official" alone."""
        return tuple(range(self.splits)) if isinstance(self.splits, int) else (self.splits,)

    @property
    def size(self) -> int:
        """The number of combinations of data set, backbone, strategy and split."""
        splits = self.splits if isinstance(self.splits, int) else 1
        return len(self.datasets) * len(self.backbones) * len(self.strategies) * splits


@dataclass(frozen=True)
class Suite:
    """Blocks of combinations that are planned and reported together."""

    name: str
    title: str
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        cells = sum(block.size for block in self.blocks)
        if cells > MOST_CELLS:
            raise EquipoiseError(
                f"{cells:,} cells (datasets × backbones × strategies × splits) are more than a sweep can hold, {MOST_CELLS:,}"
            )

    def with_changes(self, settings: Mapping[str, Any], **changes: Any) -> Suite:
        """A copy with some settings replaced in every block, and other fields of blocks that are given and not None."""
        changes = {k: v for k, v in changes.items() if v is not None}
        blocks = (
            dataclasses.replace(
                b, settings=Settings.of({**dataclasses.asdict(b.settings), **settings}), **changes
            )
            for b in self.blocks
        )
        return dataclasses.replace(self, blocks=tuple(blocks))


def suite_names() -> list[str]:
    """The names of the suites of the package."""
    folder = resources.files("equipoise.suites")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_suite(name_or_path: str) -> Suite:
    """Load a suite by its name, or from the path of a TOML file.

    Raises:
        EquipoiseError: there is no such suite, or it is not TOML, or a key or value is wrong.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        return _beside(path.parent, parse_suite(path.stem, suite_text(name_or_path), str(path)))
    return parse_suite(name_or_path, suite_text(name_or_path), name_or_path)


def suite_text(name_or_path: str) -> str:
    """The text of a suite's file; see `load_suite`, which also says what it raises."""
    if not name_or_path.endswith(".toml"):
        if name_or_path not in suite_names():
            raise unknown("suite", name_or_path, suite_names())
        return (resources.files("equipoise.suites") / f"{name_or_path}.toml").read_text(encoding="utf-8")
    if not is_file(Path(name_or_path)):
        raise EquipoiseError(f"no suite file at {name_or_path}")
    try:
        # Editors on Windows begin a file with a mark, which TOML does not know.
        return Path(name_or_path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise EquipoiseError(f"suite {name_or_path} is not TOML: it is not UTF-8 text") from None


def _beside(folder: Path, suite: Suite) -> Suite:
    """The suite with the paths of its plugin files taken from the folder of the suite."""
    blocks = []
    for block in suite.blocks:
        moved: Any = {name: tuple(beside(folder, spec) for spec in getattr(block, name)) for name in _LISTS}
        blocks.append(dataclasses.replace(block, **moved))
    return dataclasses.replace(suite, blocks=tuple(blocks))


def parse_suite(name: str, text: str, where: str) -> Suite:
    """Read a suite from TOML text; errors call it `where`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EquipoiseError(f"suite {where} is not TOML: {error}") from None
    # The parser calls itself for each bracket; and Python reads no integer of more than 4300 digits.
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise EquipoiseError(f"suite {where} cannot be read: {why}") from None
    _check_keys(table, _TOP, where)
    # Without [[blocks]], the keys at the top make up the only block.
    blocks = table.get("blocks", [{}])
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise EquipoiseError(f"suite {where}: blocks must be tables, [[blocks]]")
    if not blocks:
        raise EquipoiseError(f"suite {where}: blocks is empty: give [[blocks]], or leave it out")
    title = table.get("title", "")
    if not isinstance(title, str):
        raise EquipoiseError(f"suite {where}: title must be text, got {shown(title)}")
    return Suite(name, title, tuple(_block(table, b, where) for b in blocks))


def _block(table: Mapping[str, Any], block: Mapping[str, Any], where: str) -> Block:
    """A block, whose keys override those at the top of the suite; settings are merged one by one."""
    _check_keys(block, _TOP - {"title", "blocks"}, where)
    merged = {k: v for k, v in {**table, **block}.items() if k not in ("title", "blocks")}
    settings = Settings.of({**_settings(table, where), **_settings(block, where)})
    datasets, backbones, strategies = (_names(merged.get(name, []), name, where) for name in _LISTS)
    for name, words in (("splits", f'a whole number or "{OFFICIAL}"'), ("seed", "a whole number")):
        value = merged.get(name, 1)
        # `true` is an int to Python.
        if isinstance(value, bool) or not (
            isinstance(value, int) or (name == "splits" and value == OFFICIAL)
        ):
            raise EquipoiseError(f"suite {where}: {name} must be {words}, got {shown(value)}")
    counts = {name: merged[name] for name in ("splits", "seed", "cell_timeout") if name in merged}
    return Block(datasets, backbones, strategies, settings, **counts)


def _settings(table: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    value = table.get("settings", {})
    if not isinstance(value, dict):
        raise EquipoiseError(f"suite {where}: settings must be a table, [settings]")
    kinds = {setting.name: value_type(setting) for setting in options(Settings)}
    for name, given in value.items():
        # `Settings.of` also reads the text of a number, which is what the command line has.
        if isinstance(given, str) and (kind := kinds.get(name)) in (int, float, bool):
            words = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
            raise EquipoiseError(f"suite {where}: {name} must be {words}, without quotes, got {shown(given)}")
    return value


def _names(value: Any, name: str, where: str) -> tuple[str, ...]:
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(v, str) for v in value)
    ):
        raise EquipoiseError(f'suite {where}: {name} must be a list of names, ["…", "…"]')
    return tuple(value)


def _check_keys(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise unknown(f"key in suite {where}:", key, known)
