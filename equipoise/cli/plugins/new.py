"""`equipoise new`: a commented file to start a plugin from."""

from __future__ import annotations

import re
import sys
from importlib import resources
from importlib.machinery import PathFinder
from keyword import iskeyword
from pathlib import Path

from equipoise.catalog.registry import registry
from equipoise.core.errors import EquipoiseError
from equipoise.core.output import echo

#: Kind → the names of plugin and class in `templates/KIND.py`, in whose place the user's are put. A kind that is added here
#: needs its template, an entry in `NEXT` and a word in `equipoise.cli.options.New`.
PLACEHOLDERS = {
    "strategy": ("my_strategy", "MyStrategy"),
    "backbone": ("my_backbone", "MyBackbone"),
    "dataset": ("my_dataset", "MyDataset"),
}
#: Kind → the commands to try next.
NEXT = {
    "strategy": "equipoise check ./{name}.py\n"
    "equipoise run --dataset design-emails --backbone linear --strategy none --strategy ./{name}.py",
    "backbone": "equipoise check ./{name}.py\n"
    "equipoise run --dataset design-emails --backbone linear --backbone ./{name}.py --strategy none --strategy focal",
    "dataset": "equipoise check ./{name}.py\n"
    "equipoise run --dataset ./{name}.py --backbone linear --strategy none --strategy focal",
}


def new(kind: str, name: str) -> None:
    """Write `NAME.py` into the current folder and say what to do with it.

    Raises:
        EquipoiseError: the name is no identifier or is taken, or the file is there.
    """
    _check_name(kind, name)
    file = Path(f"{name}.py")
    try:
        # Mode x never overwrites, even if the file appears at this very moment.
        with file.open("x", encoding="utf-8") as handle:
            handle.write(filled(kind, name))
    except FileExistsError:
        raise EquipoiseError(f"{file} is there already: choose another name, or delete it first") from None
    echo(f"{file} written. It works as it is; edit it, then:\n\n{NEXT[kind].format(name=name)}")


def filled(kind: str, name: str) -> str:
    """The template of a kind of plugin, with this name in the place of its own."""
    text = (
        resources.files("equipoise.cli.plugins.templates").joinpath(f"{kind}.py").read_text(encoding="utf-8")
    )
    own_name, own_class = PLACEHOLDERS[kind]
    return text.replace(own_name, name).replace(own_class, class_name(name))


def class_name(name: str) -> str:
    """`rare_first` → `RareFirst`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _usable(name: str) -> bool:
    """Whether it can name the file, and the class in it."""
    form = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    # `none` could name a file, but its class would be called `None`.
    return form is not None and not iskeyword(name) and not iskeyword(class_name(name))


def _check_name(kind: str, name: str) -> None:
    if not _usable(name):
        near = "_".join(re.findall(r"[a-z0-9]+", name.lower())).lstrip("0123456789_")
        hint = near if _usable(near) else f"my_{near or kind}"
        raise EquipoiseError(f"the name must be a Python identifier, e.g. {hint}; got {name!r}")
    taken = {entry.name: entry.origin for entry in registry(kind).entries()}
    if name in taken:
        raise EquipoiseError(f"{kind} name {name!r} is taken ({taken[name]}): choose another")
    # Python looks into the current folder first where it is started there, and would import the plugin in its place.
    if name in sys.stdlib_module_names or _installed(name):
        raise EquipoiseError(f"{name}.py would hide the module {name} of Python's: choose another name")


def _installed(name: str) -> bool:
    """Whether an installed package has this name; a file in the current folder is none."""
    here = Path.cwd().resolve()
    folders = [folder for folder in sys.path if folder and Path(folder).resolve() != here]
    return PathFinder.find_spec(name, folders) is not None
