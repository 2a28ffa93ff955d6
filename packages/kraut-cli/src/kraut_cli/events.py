"""``kraut events``: what happened to kraut's resources, newest last."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from kraut_cli.formats.age import age, human_duration, parse_time
from kraut_cli.formats.dump import as_json, as_names, as_yaml, collection, presentable
from kraut_cli.formats.table import NONE, render
from kraut_cli.get import read_list
from kraut_cli.options import all_namespaces_option, cluster_options, common_options, output_option
from kraut_cli.resources import Selection, select_one
from kraut_cli.session import Session
from kraut_cli.terminal import note
from kraut_core.api.meta import GROUP

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

Item = dict[str, Any]


@click.command(short_help="Show what happened to kraut's resources, newest last.")
@click.argument("what", required=False, metavar="[KIND/NAME]")
@all_namespaces_option
@output_option()
@cluster_options
@common_options
def events(what: str | None, *, all_namespaces: bool, output: str, session: Session) -> None:
    """Show the events of kraut's resources, or of one of them, newest last.

    The API server keeps events for an hour (its --event-ttl); what stays is in the status of the object.
    """
    selection = select_one(what) if what else None
    if selection is not None and all_namespaces:
        raise click.UsageError("KIND/NAME means one namespace: give -n NAMESPACE instead of -A")
    namespace = None if all_namespaces else session.namespace
    found = session.run(lambda client: _read(client, namespace))
    items = [presentable(item) for item in chosen(found, selection)]
    if output in {"json", "yaml"}:
        listed = collection(items)
        click.echo(as_json(listed) if output == "json" else as_yaml(listed), nl=False)
    elif not items:
        note(f"No events found{f' in namespace {namespace}' if namespace else ''}.")
    elif output == "name":
        click.echo(as_names(items), nl=False)
    else:
        click.echo(table(items, now=datetime.now(UTC), wide=output == "wide", namespaces=all_namespaces), nl=False)


async def _read(client: "KubeClient", namespace: str | None) -> list[Item]:
    from kraut_core.kube.paths import segment  # noqa: PLC0415 - no part of the client is imported before it is needed

    root = "/apis/events.k8s.io/v1"
    path = f"{root}/events" if namespace is None else f"{root}/namespaces/{segment(namespace)}/events"
    return [{"apiVersion": "events.k8s.io/v1", "kind": "Event", **item} for item in await read_list(client, path, {})]


def chosen(items: list[Item], selection: Selection | None) -> list[Item]:
    """Those about kraut's resources, or about the selected one, oldest first (pure)."""
    return sorted((item for item in items if _is_about(item.get("regarding") or {}, selection)), key=_last_seen)


def _is_about(regarding: Item, selection: Selection | None) -> bool:
    if not str(regarding.get("apiVersion", "")).startswith(f"{GROUP}/"):
        return False
    return selection is None or (
        regarding.get("kind") == selection.kind.name and regarding.get("name") in selection.names
    )


def table(items: list[Item], *, now: datetime, wide: bool, namespaces: bool) -> str:
    """The columns of ``kubectl events`` (pure)."""
    header = [*(["NAMESPACE"] if namespaces else []), "LAST SEEN", "TYPE", "REASON", "OBJECT"]
    header += ["ACTION", "SOURCE", "MESSAGE"] if wide else ["MESSAGE"]
    return render(header, [_row(item, now=now, wide=wide, namespaces=namespaces) for item in items])


def _row(item: Item, *, now: datetime, wide: bool, namespaces: bool) -> list[str]:
    regarding = item["regarding"]
    source = item.get("reportingController") or (item.get("deprecatedSource") or {}).get("component", "")
    return [
        *([item["metadata"].get("namespace", NONE)] if namespaces else []),
        _when(item, now),
        item.get("type") or NONE,
        item.get("reason") or NONE,
        f"{regarding['kind'].lower()}/{regarding['name']}",
        *([item.get("action") or NONE, source] if wide else []),
        item.get("note", ""),
    ]


def _when(item: Item, now: datetime) -> str:
    count = (item.get("series") or {}).get("count") or item.get("deprecatedCount") or 1
    seen = human_duration(now - _last_seen(item))
    return f"{seen} (x{count} over {age(_first_seen(item), now)})" if count > 1 else seen


def _last_seen(item: Item) -> datetime:
    series = item.get("series") or {}
    return parse_time(series.get("lastObservedTime") or item.get("deprecatedLastTimestamp") or _first_seen(item))


def _first_seen(item: Item) -> str:
    first = item.get("deprecatedFirstTimestamp") or item.get("eventTime") or item["metadata"]["creationTimestamp"]
    return str(first)
