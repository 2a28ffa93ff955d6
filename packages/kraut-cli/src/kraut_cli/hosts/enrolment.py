"""The steps of ``kraut host add``: check everything, set the host up, then write the Secret and the Host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from kraut_cli.hosts import objects
from kraut_cli.hosts.key_pair import KeyPair, generate_key_pair
from kraut_cli.hosts.manifests import Jump, Manifest, host_manifest, secret_manifest
from kraut_cli.hosts.setup import resolve, set_up
from kraut_cli.hosts.setup_result import SetupResult
from kraut_cli.hosts.wanted import Wanted
from kraut_cli.session import Session
from kraut_cli.terminal import confirm, note

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of it. ``host`` is the applied object, or with --export the manifest; ``secret`` only if it is to be printed.

    ``credentials`` is the metadata of the applied Secret, if one was applied.
    """

    host: Manifest
    secret: Manifest | None = None
    credentials: Manifest | None = None


def enrol(wanted: Wanted, session: Session) -> Enrolled:
    """Put the host under management. Nothing is touched before everything that can be checked has been."""
    address, port, configured_jump = resolve(wanted.destination, wanted.ssh_options())
    checked = host_manifest(wanted.wish(address, port, (), None))
    if configured_jump and wanted.jump_host is None:
        note(
            f"warning: your ssh configuration reaches {address} through {configured_jump}; "
            "kraut will connect directly unless you give --jump-host"
        )
    _agree(wanted)
    pair = (
        session.run(lambda client: _prepare(client, wanted, checked)) if wanted.needs_cluster else generate_key_pair()
    )
    sudo_password = _sudo_password(wanted)
    jump = _set_up_jump(wanted, pair, address, port)
    result = set_up(
        wanted.destination,
        wanted.ssh_options(),
        wanted.host_setup(pair.public),
        fingerprints=wanted.trust_host_key,
        sudo_password=sudo_password,
    )
    _report(str(wanted.destination), result)
    host = host_manifest(wanted.wish(address, port, result.host_keys, jump))
    return _hand_over(wanted, session, host, secret_manifest(wanted.secret, wanted.namespace, pair.private))


def _agree(wanted: Wanted) -> None:
    if wanted.updates in {"Security", "All"} and not wanted.export:
        what = f"kraut will install {wanted.updates.lower()} updates and reboot where they ask for it"
        confirm(what, [wanted.name], yes=wanted.yes, interactive=wanted.interactive)


async def _prepare(client: "KubeClient", wanted: Wanted, checked: Manifest) -> KeyPair:
    pair = (
        generate_key_pair()
        if wanted.rotate_key
        else await objects.key_pair_for(client, wanted.namespace, wanted.secret)
    )
    secret = secret_manifest(wanted.secret, wanted.namespace, pair.private)
    await objects.check(client, secret, *([] if wanted.export else [checked]))
    return pair


def _sudo_password(wanted: Wanted) -> str | None:
    if not wanted.ask_sudo_password:
        return None
    if not wanted.interactive:
        raise click.UsageError("--ask-sudo-password needs somebody to ask: a terminal, and no --no-input")
    return str(click.prompt(f"sudo password on {wanted.destination}", hide_input=True, err=True))


def _set_up_jump(wanted: Wanted, pair: KeyPair, address: str, port: int) -> Jump | None:
    if wanted.jump_host is None:
        return None
    jump_address, jump_port, _ = resolve(wanted.jump_host, wanted.jump_options())
    result = set_up(wanted.jump_host, wanted.jump_options(), wanted.jump_setup(pair.public, address, port))
    _report(str(wanted.jump_host), result)
    setup = wanted.jump_setup(pair.public, address, port)
    return Jump(jump_address, jump_port, setup.user, result.host_keys, wanted.secret)


def _report(where: str, result: SetupResult) -> None:
    for sentence in _sentences(where, result):
        note(sentence)


def _sentences(where: str, result: SetupResult) -> Sequence[str]:
    done = "; ".join(result.did) or "everything was in place"
    return [
        f"{where}: {done}; {len(result.host_keys)} host keys pinned",
        *(f"warning: {where}: {text}" for text in result.warnings),
    ]


def _hand_over(wanted: Wanted, session: Session, host: Manifest, secret: Manifest) -> Enrolled:
    if not wanted.needs_cluster:
        return Enrolled(host, secret)
    credentials = session.run(lambda client: objects.apply(client, secret))["metadata"]
    if wanted.export:
        note(
            f"The Secret {wanted.secret} holds the private key: it was written to namespace {wanted.namespace} and is not part of "
            "this output. With --include-secret it is printed instead, to be encrypted before it enters a repository."
        )
        return Enrolled(host)
    return Enrolled(session.run(lambda client: objects.apply_host(client, host)), credentials=credentials)
