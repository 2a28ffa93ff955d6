"""Options that mean the same in every command, as decorators."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from kraut_cli.failures import DEBUG
from kraut_cli.session import Session

R = TypeVar("R")
Function = Callable[..., R]

FORMATS: Final = ("table", "wide", "json", "yaml", "name")


def common_options(function: Function[R]) -> Function[R]:
    """``--debug``."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_remember_debug,
        help="Show the traceback of an error.",
    )(function)


def no_input_option(function: Function[R]) -> Function[R]:
    """``--no-input``: never ask, fail instead."""
    return click.option("--no-input", is_flag=True, help="Never ask; fail where an answer would be needed.")(function)


def output_option(*formats: str, default: str = "table") -> Callable[[Function[R]], Function[R]]:
    """``-o/--output``; without ``formats`` all of them."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats or FORMATS),
        default=default,
        show_default=True,
        help="How the data is written to stdout.",
    )


def cluster_options(function: Function[R]) -> Function[R]:
    """``-n``, ``--kubeconfig`` and ``--context``; the function receives them as ``session``."""

    @wraps(function)
    def with_session(
        *args: Any, kubeconfig: str | None, context: str | None, namespace: str | None, **kwargs: Any
    ) -> R:
        session = Session(kubeconfig=kubeconfig, context=context, wanted_namespace=namespace)
        return function(*args, session=session, **kwargs)

    return _apply(with_session, *_CLUSTER)


def all_namespaces_option(function: Function[R]) -> Function[R]:
    """``-A/--all-namespaces``."""
    return click.option("-A", "--all-namespaces", is_flag=True, help="Look into every namespace.")(function)


_CLUSTER: Final = (
    click.option("-n", "--namespace", metavar="NAME", help="Namespace; default: that of the kubeconfig's context."),
    click.option("--kubeconfig", metavar="PATH", envvar="KUBECONFIG", help="Kubeconfig file. [env: KUBECONFIG]"),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig; default: its current one."),
)


def _apply(function: Function[R], *decorators: Callable[[Function[R]], Function[R]]) -> Function[R]:
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def _remember_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[DEBUG] = True
