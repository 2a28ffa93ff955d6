"""``kraut host test``: look at a host now and say what is wrong."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from kraut_cli.failures import NotReadyError
from kraut_cli.formats.dump import as_json, as_yaml, presentable
from kraut_cli.hosts.manifests import Manifest
from kraut_cli.hosts.report import render, report_on
from kraut_cli.options import cluster_options, common_options, output_option
from kraut_cli.session import Session
from kraut_cli.state import describe
from kraut_cli.terminal import Progress, progress
from kraut_cli.waiting import Duration, wait_until
from kraut_core.api.kinds import kind_named
from kraut_core.api.meta import REQUESTED_AT
from kraut_core.api.v1alpha1.host import Host

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient


@click.command("test", short_help="Look at a host now and say what is wrong.")
@click.argument("name")
@click.option(
    "--timeout", type=Duration(), default="2m", show_default=True, help="How long to wait for kraut's answer."
)
@output_option("table", "json", "yaml")
@cluster_options
@common_options
def probe(name: str, *, timeout: timedelta, output: str, session: Session) -> None:
    """Look at the host NAME now and say what is wrong.

    Asks kraut to reconcile the host, waits for its answer and shows problems first. It also ends the waiting after
    operations that failed: what was given up is tried again.

    Exit code 0 when kraut can manage the host, 3 when it cannot, or does not answer in time.
    """
    with progress(f"{name}: asking kraut to look at it") as shown:
        item = session.run(lambda client: _ask(client, session.namespace, name, timeout, shown))
    report = report_on(Host.model_validate(item), datetime.now(UTC))
    if output == "table":
        click.echo(render(report), nl=False)
    else:
        click.echo(as_json(presentable(item)) if output == "json" else as_yaml(presentable(item)), nl=False)
    if not report.fine:
        raise NotReadyError(report.problems[0])


async def _ask(client: "KubeClient", namespace: str, name: str, limit: timedelta, shown: Progress) -> Manifest:
    from kraut_core.kube import paths  # noqa: PLC0415 - no part of the client is imported before it is needed

    path = paths.item(kind_named(Host.KIND), namespace, name)
    # Any text that differs from the last one is a request.
    request = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    await client.patch_raw(path, {"metadata": {"annotations": {REQUESTED_AT: request}}})
    return await wait_until(
        client,
        path,
        _is_answered,
        limit=limit,
        progress=shown,
        describe=lambda item: f"kraut has not answered the request; last state: {describe(item)}",
    )


def _is_answered(item: Manifest) -> bool:
    """Whether the newest request was handled: ours, or one that somebody made after it."""
    requested = (item["metadata"].get("annotations") or {}).get(REQUESTED_AT, "")
    return bool((item.get("status") or {}).get("lastHandledRequest", "") == requested)
