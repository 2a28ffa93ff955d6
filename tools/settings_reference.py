"""Write docs/reference/settings.md from the settings classes of every package; ``--check`` only compares.

A package takes part by having a module ``settings`` with subclasses of ``kraut_core.settings.Settings``.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from generated import write_or_compare

from kraut_core.settings import Setting, Settings, describe_settings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference" / "settings.md"

HEAD = """# Settings

Every process reads environment variables that start with `KRAUT_`; `KRAUT_<GROUP>_<FIELD>` sets one field of a group.
An empty variable is an absent one. A misspelt field of a group that the process has is refused at start; groups of
other processes may stand in the same environment. No setting holds a secret: secrets are files, and settings name them.

Generated from the models by `make generate`; edit the descriptions there.
"""


def components() -> Iterator[tuple[str, type[Settings]]]:
    """``(package, settings class)`` of every package of the workspace that has settings of its own."""
    for file in sorted(ROOT.glob("packages/*/src/*/settings.py")):
        package = file.parent.name
        module = importlib.import_module(f"{package}.settings")
        for _, cls in sorted(inspect.getmembers(module, inspect.isclass)):
            if issubclass(cls, Settings) and cls is not Settings and cls.__module__ == module.__name__:
                yield package.replace("_", "-"), cls


def render() -> str:
    """The reference as Markdown."""
    return "\n".join([HEAD, *(_component(package, cls) for package, cls in components())]).rstrip() + "\n"


def _component(package: str, cls: type[Settings]) -> str:
    parts = [f"## {package}\n", f"{inspect.getdoc(cls)}\n"]
    for group, settings in groupby(describe_settings(cls), key=lambda setting: setting.group):
        rows = "\n".join(_row(setting) for setting in settings)
        parts.append(
            f"**{group.splitlines()[0]}**\n\n| variable | type | default | meaning |\n|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _row(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    cells = (f"`{setting.variable}`", setting.type, default, setting.description.replace("<", "&lt;"))
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(write_or_compare(REFERENCE, render()))
