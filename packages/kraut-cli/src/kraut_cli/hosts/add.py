"""``kraut host add``: put one host under management, with the system's own ssh, once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from kraut_cli.failures import NotReadyError
from kraut_cli.formats.dump import as_json, as_names, as_yaml, collection, name_of, presentable
from kraut_cli.get import document, tables
from kraut_cli.hosts.enrolment import Enrolled, enrol
from kraut_cli.hosts.host_keys import FINGERPRINT_PATTERN
from kraut_cli.hosts.manifests import Manifest
from kraut_cli.hosts.objects import path_of
from kraut_cli.hosts.ssh_command import Destination, parse_destination
from kraut_cli.hosts.wanted import Wanted
from kraut_cli.options import cluster_options, common_options, no_input_option, output_option
from kraut_cli.resources import Selection
from kraut_cli.session import Session
from kraut_cli.state import describe, has_seen, is_ready, is_settled
from kraut_cli.terminal import is_interactive, progress
from kraut_cli.waiting import Duration, wait_until
from kraut_core.api.kinds import kind_named


def _fingerprints(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not FINGERPRINT_PATTERN.fullmatch(value):
            raise click.BadParameter(f"expected SHA256: and 43 characters, as ssh-keygen -l prints it, found {value!r}")
    return values


def _destination(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Destination | None:
    return parse_destination(value) if value else None


@click.command(short_help="Put one host under management.")
@click.argument("name")
@click.option(
    "--address", metavar="ADDRESS", help="IP address, DNS name or a Host of your ssh configuration. [default: NAME]"
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="sshd's port. [default: as your ssh configuration says, else 22]"
)
@click.option(
    "--user",
    metavar="USER",
    help="Whom you log in as: root, or one who may sudo. [default: as in your ssh configuration]",
)
@click.option("-i", "--identity-file", metavar="PATH", help="Your private key, as in ssh -i; it stays where it is.")
@click.option("-F", "--ssh-config", metavar="PATH", help="Your ssh configuration, as in ssh -F.")
@click.option(
    "-J",
    "--jump-host",
    metavar="[USER@]ADDRESS[:PORT]",
    callback=_destination,
    help="Reach the host through this one; kraut will, too.",
)
@click.option(
    "--trust-host-key",
    metavar="SHA256:...",
    multiple=True,
    callback=_fingerprints,
    help="Fingerprint the host's key must have; may be given again.",
)
@click.option("--accept-new", is_flag=True, help="Trust whatever key a host shows that your known_hosts does not know.")
@click.option("-K", "--ask-sudo-password", is_flag=True, help="Ask for the password that sudo wants on the host.")
@click.option("--as-root", is_flag=True, help="Let kraut log in as root instead of a user with one sudo rule.")
@click.option("--site", metavar="SITE", help="Which workers reach the host.")
@click.option(
    "--updates",
    type=click.Choice(["None", "Security", "All"]),
    help="Which package updates kraut installs. [default: None]",
)
@click.option("--upgrade-policy", metavar="NAME", help="UpgradePolicy whose maxUnavailable the host shares.")
@click.option("--rotate-key", is_flag=True, help="Make a new key pair even when there is one.")
@click.option("--export", is_flag=True, help="Print the Host as YAML, for a Git repository, instead of applying it.")
@click.option("--include-secret", is_flag=True, help="With --export: print the Secret, too, instead of applying it.")
@click.option("--wait", is_flag=True, help="Wait until the host is Ready.")
@click.option("--timeout", type=Duration(), default="5m", show_default=True, help="How long --wait waits.")
@click.option("-y", "--yes", is_flag=True, help="Agree to updates and reboots that --updates brings.")
@no_input_option
@output_option()
@cluster_options
@common_options
def add(*, session: Session, no_input: bool, timeout: timedelta, output: str, wait: bool, **wanted: Any) -> None:
    """Put one host under management.

    Your own ssh is used once: it checks the host's key, and with your own keys it makes a user `kraut` on the host with a
    key pair that is made now and for this host only, and one sudo rule, `kraut ALL=(root) NOPASSWD: /bin/sh -s`. The Secret
    and the Host that follow hold that key and the host's pinned keys; your private key goes nowhere.

    Running it again is safe: it only adds what is missing. Nothing on the host is updated or restarted unless --updates says so.

    \b
    kraut host add web1 --address 192.0.2.10 --user root --wait
    kraut host add web1 -J jump.example.com --updates Security
    """
    if wanted["include_secret"] and not wanted["export"]:
        raise click.UsageError("--include-secret belongs to --export")
    if wanted["export"] and wait:
        raise click.UsageError("--export writes no Host, so there is nothing to --wait for")
    interactive = is_interactive(no_input=no_input)
    asked = Wanted(namespace=session.namespace, interactive=interactive, **wanted)
    enrolled = enrol(asked, session)
    if asked.export:
        show_manifests(enrolled, output)
    elif wait:
        show_host(wait_for_ready(session, enrolled, timeout), output)
    else:
        show_applied(enrolled.host, output)


def show_manifests(enrolled: Enrolled, output: str) -> None:
    """What --export prints: YAML unless JSON is asked for."""
    manifests = [enrolled.host] if enrolled.secret is None else [enrolled.secret, enrolled.host]
    if output == "name":
        click.echo(as_names(manifests), nl=False)
    elif output == "json":
        click.echo(as_json(manifests[0] if len(manifests) == 1 else collection(manifests)), nl=False)
    else:
        click.echo(as_yaml(*manifests), nl=False)


def show_applied(host: Manifest, output: str) -> None:
    """What is printed when nobody waits."""
    if output in {"table", "wide"}:
        click.echo(f"{name_of(host)} applied")
    else:
        show_host(host, output)


def show_host(host: Manifest, output: str) -> None:
    """One Host, as `kraut get` shows it."""
    selection = Selection(kind_named(host["kind"]), (host["metadata"]["name"],))
    if output in {"table", "wide"}:
        now = datetime.now(UTC)
        click.echo(tables([(selection, [host])], now=now, wide=output == "wide", namespaces=False), nl=False)
    else:
        click.echo(document([presentable(host)], output, single=True), nl=False)


def wait_for_ready(session: Session, enrolled: Enrolled, timeout: timedelta) -> Manifest:
    """Wait until the host is Ready with these credentials. Raises NotReadyError when it is not in time, or only a person can help."""
    host, credentials = enrolled.host, enrolled.credentials
    name = host["metadata"]["name"]

    def is_answered(item: Manifest) -> bool:
        return is_settled(item) and (credentials is None or has_seen(item, credentials))

    with progress(f"{name}: waiting for kraut to look at it") as shown:
        found = session.run(
            lambda client: wait_until(
                client, path_of(host), is_answered, limit=timeout, progress=shown, describe=describe
            )
        )
    if not is_ready(found):
        raise NotReadyError(describe(found))
    return found
