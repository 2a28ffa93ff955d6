"""``kraut logs``: the output of operations that failed, as the worker kept it (redacted)."""

import json
from typing import TYPE_CHECKING, Any

import click

from kraut_cli.formats.dump import as_json, as_names, as_yaml, collection, presentable
from kraut_cli.formats.escape import escape
from kraut_cli.get import read_list
from kraut_cli.options import cluster_options, common_options, output_option
from kraut_cli.resources import Selection, select_one
from kraut_cli.session import Session
from kraut_cli.terminal import note
from kraut_core.contracts.operation_log import OPERATION_KEY, OPERATION_LABEL, OUTPUT_KEY, operation_log_selector
from kraut_core.errors import NotFoundError

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

Item = dict[str, Any]


@click.command(short_help="Show the output of operations that failed.")
@click.argument("what", metavar="KIND/NAME")
@click.option("--operation", metavar="ID", help="Only the operation whose id begins with ID.")
@output_option("text", "json", "yaml", "name", default="text")
@cluster_options
@common_options
def logs(what: str, *, operation: str | None, output: str, session: Session) -> None:
    """Show the output of failed operations on an object, oldest first.

    kraut keeps the last three, without secrets, in ConfigMaps that the object owns.

    \b
    kraut logs host/web1
    kraut logs host/web1 --operation 3f2a9c1e
    """
    selection = select_one(what)
    found = session.run(lambda client: _read(client, selection, session.namespace))
    kept = [item for item in by_age(found) if operation_of(item).startswith(operation or "")]
    if operation and not kept:
        known = ", ".join(operation_of(item) for item in found) or "none"
        raise NotFoundError(
            f"expected kept output of an operation {operation}, found output of: {known}; only operations that failed keep it"
        )
    if not kept:
        note(f"No failed operation of {what} has kept output.")
    elif output == "text":
        click.echo("\n".join(text_of(item) for item in kept), nl=False)
    else:
        click.echo(_document([presentable(item) for item in kept], output), nl=False)


async def _read(client: "KubeClient", selection: Selection, namespace: str) -> list[Item]:
    from kraut_core.kube import paths  # noqa: PLC0415 - no part of the client is imported before it is needed

    (name,) = selection.names
    # A name that is not there is an error; no kept output is none.
    await client.get_raw(paths.item(selection.kind, namespace, name))
    labels = {"labelSelector": operation_log_selector(selection.kind.name, name)}
    items = await read_list(client, paths.core("configmaps", namespace), labels)
    return [{"apiVersion": "v1", "kind": "ConfigMap", **item} for item in items]


def by_age(items: list[Item]) -> list[Item]:
    """Oldest operation first (pure)."""
    return sorted(items, key=lambda item: (item["metadata"].get("creationTimestamp", ""), item["metadata"]["name"]))


def operation_of(item: Item) -> str:
    """The id of the operation whose output a ConfigMap keeps (pure)."""
    return str((item["metadata"].get("labels") or {}).get(OPERATION_LABEL, ""))


def text_of(item: Item) -> str:
    """A heading that says which operation, when and how it ended, and its output (pure)."""
    data = item.get("data") or {}
    output = escape(str(data.get(OUTPUT_KEY, "")))
    return (
        f"==> {escape(_heading(item, data))} <==\n{output}{'' if output.endswith(chr(10)) or not output else chr(10)}"
    )


def _heading(item: Item, data: dict[str, str]) -> str:
    try:
        operation = json.loads(data.get(OPERATION_KEY, "{}"))
    except ValueError:
        operation = {}
    said = [operation_of(item), operation.get("type"), operation.get("completionTime") or operation.get("startTime")]
    if operation.get("exitCode") is not None:
        said.append(f"exit code {operation['exitCode']}")
    said.append(operation.get("message"))
    return ", ".join(str(word) for word in said if word)


def _document(items: list[Item], output: str) -> str:
    if output == "name":
        return as_names(items)
    return as_json(collection(items)) if output == "json" else as_yaml(collection(items))
