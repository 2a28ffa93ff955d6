"""``kraut version``: the versions of kraut's packages and of the API server."""

import platform
from importlib.metadata import distributions
from typing import Any

import click

from kraut_cli.formats.dump import as_json, as_yaml
from kraut_cli.options import cluster_options, common_options, output_option
from kraut_cli.session import Session
from kraut_cli.terminal import note
from kraut_core.errors import KrautError


@click.command(short_help="Show the versions of kraut's packages.")
@click.option("--client", "client_only", is_flag=True, help="Do not ask the API server for its version.")
@output_option("table", "json", "yaml")
@cluster_options
@common_options
def version(*, client_only: bool, output: str, session: Session) -> None:
    """Show the versions of kraut's packages, of Python and of the API server."""
    versions: dict[str, Any] = {**installed(), "python": platform.python_version()}
    if not client_only:
        versions["kubernetes"] = _of_server(session)
    if output == "table":
        width = max(map(len, versions))
        click.echo("\n".join(f"{name.ljust(width)}   {number or 'not reached'}" for name, number in versions.items()))
    else:
        click.echo(as_json(versions) if output == "json" else as_yaml(versions), nl=False)


def installed() -> dict[str, str]:
    """The versions of the installed packages whose name begins with ``kraut-``, sorted."""
    found = {item.name: item.version for item in distributions() if item.name.startswith("kraut-")}
    return dict(sorted(found.items()))


def _of_server(session: Session) -> str | None:
    try:
        answer = session.run(lambda client: client.get_raw("/version"))
    except KrautError as error:
        # The versions of the packages are an answer on their own.
        note(f"note: {error}")
        return None
    return str(answer["gitVersion"])
