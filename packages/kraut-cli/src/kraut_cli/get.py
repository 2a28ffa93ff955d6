"""``kraut get``: kraut's resources in the columns that their kinds declare."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from kraut_cli.formats.dump import as_json, as_names, as_yaml, collection, presentable
from kraut_cli.formats.table import header_of, render, row_of
from kraut_cli.options import all_namespaces_option, cluster_options, common_options, output_option
from kraut_cli.resources import Selection, select
from kraut_cli.session import Session
from kraut_cli.terminal import note
from kraut_core.api.meta import GROUP

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

Item = dict[str, Any]
Found = list[tuple[Selection, list[Item]]]


@click.command(short_help="Show kraut's resources.")
@click.argument("what", nargs=-1, metavar="[KIND[,KIND] [NAME]... | KIND/NAME...]")
@all_namespaces_option
@click.option("-l", "--selector", metavar="QUERY", help="Only objects with these labels: key=value,key2 in (a, b).")
@output_option()
@cluster_options
@common_options
def get(what: tuple[str, ...], *, all_namespaces: bool, selector: str | None, output: str, session: Session) -> None:
    """Show kraut's resources; without a kind, all of them.

    \b
    kraut get                       everything
    kraut get hosts -o wide         hosts, with more columns
    kraut get host/web1 -o yaml     one host as it is
    """
    selections = select(what)
    if all_namespaces and any(selection.names for selection in selections):
        raise click.UsageError("a NAME means one namespace: give -n NAMESPACE instead of -A")
    namespace = None if all_namespaces else session.namespace
    found = session.run(lambda client: read(client, selections, namespace, selector))
    items = [presentable(item) for _, of_kind in found for item in of_kind]
    if not items and output in {"table", "wide", "name"}:
        note(f"No resources found{f' in namespace {namespace}' if namespace else ''}.")
        return
    if output in {"table", "wide"}:
        click.echo(tables(found, now=datetime.now(UTC), wide=output == "wide", namespaces=all_namespaces), nl=False)
    else:
        click.echo(document(items, output, single=_is_single(selections)), nl=False)


async def read(client: "KubeClient", selections: list[Selection], namespace: str | None, selector: str | None) -> Found:
    """Read what was selected, all kinds at once. Raises NotFoundError for a name that is not there."""
    of_kinds = await asyncio.gather(*(_read(client, selection, namespace, selector) for selection in selections))
    return list(zip(selections, of_kinds, strict=True))


async def _read(client: "KubeClient", selection: Selection, namespace: str | None, selector: str | None) -> list[Item]:
    from kraut_core.kube import paths  # noqa: PLC0415 - no part of the client is imported before it is needed

    if selection.names and namespace is not None:
        wanted = [paths.item(selection.kind, namespace, name) for name in selection.names]
        return [await client.get_raw(path) for path in wanted]
    path = paths.collection(selection.kind, namespace)
    items = await read_list(client, path, {"labelSelector": selector} if selector else {})
    # Items of a list carry no apiVersion and kind of their own.
    kind = {"apiVersion": selection.kind.model.model_fields["api_version"].default, "kind": selection.kind.name}
    return [{**kind, **item} for item in items]


async def read_list(client: "KubeClient", path: str, params: dict[str, str]) -> list[Item]:
    """Every item of a collection, 500 per request."""
    items: list[Item] = []
    following: dict[str, str] = {}
    while True:
        page = await client.get_raw(path, {"limit": "500", **params, **following})
        items.extend(page["items"])
        token = page["metadata"].get("continue")
        if not token:
            return items
        following = {"continue": token}


def tables(found: Found, *, now: datetime, wide: bool, namespaces: bool) -> str:
    """A table for each kind that has objects; with several kinds the names say which (pure)."""
    several = len(found) > 1
    return "\n".join(
        render(
            header_of(selection.kind, wide=wide, namespaces=namespaces),
            [
                row_of(
                    selection.kind,
                    item,
                    now=now,
                    wide=wide,
                    namespaces=namespaces,
                    prefix=f"{selection.kind.name.lower()}.{GROUP}/" if several else "",
                )
                for item in items
            ],
        )
        for selection, items in found
        if items
    )


def document(items: list[Item], output: str, *, single: bool) -> str:
    """Objects as JSON, YAML or names: the object itself when exactly one was named, else a List (pure)."""
    if output == "name":
        return as_names(items)
    shown = items[0] if single else collection(items)
    return as_json(shown) if output == "json" else as_yaml(shown)


def _is_single(selections: list[Selection]) -> bool:
    return len(selections) == 1 and len(selections[0].names) == 1
