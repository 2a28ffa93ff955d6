"""``kraut host import``: make Hosts from an Ansible inventory."""

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kraut_cli.failures import CommandError
from kraut_cli.formats.dump import as_json, as_names, as_yaml, collection, name_of
from kraut_cli.hosts.manifests import Manifest
from kraut_cli.hosts.objects import apply_host, check
from kraut_cli.options import cluster_options, common_options, no_input_option, output_option
from kraut_cli.session import Session
from kraut_cli.terminal import confirm, is_interactive, note

if TYPE_CHECKING:
    from kraut_cli.inventory.model import InventoryHost
    from kraut_cli.inventory.translate import Translated
    from kraut_core.kube.client import KubeClient

_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


@click.command("import", short_help="Make Hosts from an Ansible inventory.")
@click.option(
    "-i",
    "--inventory",
    metavar="PATH",
    required=True,
    help="Inventory: INI, YAML, or the JSON of `ansible-inventory --list`; - is stdin.",
)
@click.option("--limit", metavar="PATTERN", help="Only these hosts or groups, as in Ansible: web,!web03.")
@click.option(
    "--credentials-secret", metavar="NAME", required=True, help="Secret with the key that kraut logs in with."
)
@click.option(
    "--user", metavar="USER", help="Whom kraut logs in as where the inventory has no ansible_user. [default: kraut]"
)
@click.option(
    "--known-hosts",
    metavar="PATH",
    multiple=True,
    default=_KNOWN_HOSTS,
    show_default=True,
    help="Where the hosts' keys are looked up.",
)
@click.option(
    "--accept-new", is_flag=True, help="Import hosts whose keys are not known: kraut pins the first key it sees."
)
@click.option("--site", metavar="SITE", help="Which workers reach the hosts.")
@click.option(
    "--updates",
    type=click.Choice(["None", "Security", "All"]),
    help="Which package updates kraut installs. [default: None]",
)
@click.option("--upgrade-policy", metavar="NAME", help="UpgradePolicy whose maxUnavailable the hosts share.")
@click.option("--apply", "apply_them", is_flag=True, help="Apply the Hosts instead of printing them.")
@click.option("-y", "--yes", is_flag=True, help="Agree to updates and reboots that --updates brings.")
@no_input_option
@output_option("yaml", "json", "name", default="yaml")
@cluster_options
@common_options
def import_inventory(
    *,
    inventory: str,
    limit: str | None,
    apply_them: bool,
    yes: bool,
    no_input: bool,
    output: str,
    session: Session,
    **wanted: Any,
) -> None:
    """Make Hosts from an Ansible inventory, and print or apply them.

    Groups become labels (group.kraut.dev/NAME), known host keys are pinned. What could not be carried over is said for each
    host on stderr; a host that cannot be imported is left out, and the exit code is 1 then. Nothing connects to a host.

    \b
    kraut host import -i inventory.ini --credentials-secret fleet-ssh > hosts.yaml
    kraut host import -i inventory.ini --credentials-secret fleet-ssh --limit web --apply
    """
    results = _translate(_hosts(inventory, limit), session.namespace, wanted)
    for result in results:
        _report(result)
    hosts = [result.host for result in results if result.host is not None]
    if apply_them and hosts:
        if wanted["updates"] in {"Security", "All"}:
            what = f"kraut will install {wanted['updates'].lower()} updates and reboot where they ask for it"
            named = [host["metadata"]["name"] for host in hosts]
            confirm(what, named, yes=yes, interactive=is_interactive(no_input=no_input))
        hosts = session.run(lambda client: _apply(client, hosts))
    if hosts:
        click.echo(_shown(hosts, output, applied=apply_them), nl=False)
    if left_out := [result.name for result in results if result.host is None]:
        raise CommandError(f"{len(left_out)} of {len(results)} hosts were left out: {', '.join(left_out)}")


def _hosts(inventory: str, limit: str | None) -> "list[InventoryHost]":
    from kraut_cli.inventory.files import parse, read_inventory  # noqa: PLC0415
    from kraut_cli.inventory.limit import limit_hosts  # noqa: PLC0415
    from kraut_cli.inventory.model import InventoryError  # noqa: PLC0415

    try:
        found = parse(sys.stdin.read()) if inventory == "-" else read_inventory(Path(inventory))
        hosts = found.hosts()
        return limit_hosts(hosts, limit) if limit else hosts
    except InventoryError as error:
        raise CommandError(str(error)) from error


def _translate(hosts: "list[InventoryHost]", namespace: str, wanted: dict[str, Any]) -> "list[Translated]":
    from kraut_cli.hosts.known_hosts import known_host_keys  # noqa: PLC0415
    from kraut_cli.inventory.translate import Defaults, translate  # noqa: PLC0415

    files = [Path(path).expanduser() for path in wanted["known_hosts"]]
    defaults = Defaults(
        namespace=namespace,
        secret=wanted["credentials_secret"],
        user=wanted["user"],
        site=wanted["site"],
        updates=wanted["updates"],
        upgrade_policy=wanted["upgrade_policy"],
        trust_on_first_use=wanted["accept_new"],
    )

    @cache
    def known_keys(address: str, port: int) -> list[str]:
        # Many hosts share a jump host: its keys are looked up once.
        return known_host_keys(address, port, files)

    return translate(hosts, defaults, known_keys)


def _report(result: "Translated") -> None:
    if result.host is None:
        note(f"{result.name}: left out: {result.left[0]}")
    for sentence in result.left if result.host is not None else ():
        note(f"{result.name}: not carried over: {sentence}")


async def _apply(client: "KubeClient", hosts: list[Manifest]) -> list[Manifest]:
    # All or none: what the API server refuses is refused before the first is written.
    await check(client, *hosts)
    return [await apply_host(client, host) for host in hosts]


def _shown(hosts: list[Manifest], output: str, *, applied: bool) -> str:
    if applied and output == "yaml":
        return "".join(f"{name_of(host)} applied\n" for host in hosts)
    if output == "name":
        return as_names(hosts)
    return as_json(collection(hosts)) if output == "json" else as_yaml(*hosts)
