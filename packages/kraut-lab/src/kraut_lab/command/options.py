"""Options that all commands of ``kraut lab`` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from kraut_lab.command.progress import show_progress
from kraut_lab.lab import Lab
from kraut_lab.settings import load_lab_settings

R = TypeVar("R")


def lab_options(function: Callable[..., R]) -> Callable[..., R]:
    """``--name`` and ``--state-dir``; the function receives the lab as ``lab``."""

    @wraps(function)
    def with_lab(*args: Any, name: str, state_dir: Path | None, **kwargs: Any) -> R:
        settings = load_lab_settings()
        if state_dir:
            settings = settings.model_copy(update={"state_dir": state_dir})
        with show_progress() as progress:
            return function(*args, lab=Lab(name, settings=settings, progress=progress), **kwargs)

    name = click.option("--name", metavar="NAME", default="default", show_default=True, help="Which lab.")
    state_dir = click.option(
        "--state-dir",
        metavar="PATH",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder with one folder per lab. [env: KRAUT_LAB_STATE_DIR; default: ~/.local/state/kraut/lab]",
    )
    return name(state_dir(with_lab))
