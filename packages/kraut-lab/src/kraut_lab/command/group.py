"""``kraut lab up|status|env|exec|manifests|demo|demo-identity|down|setup``."""

from __future__ import annotations

import os
import time

import click

from kraut_lab.assets.modules import kubernetes_minors
from kraut_lab.command.options import lab_options
from kraut_lab.command.progress import show_progress
from kraut_lab.command.render import as_json, shell_exports, status_json, status_table
from kraut_lab.demo.command import demo
from kraut_lab.demo.identity_command import demo_identity
from kraut_lab.demo.manifests import Machine, demo_yaml
from kraut_lab.errors import LabError
from kraut_lab.hosts.image import HostImage
from kraut_lab.lab import DEFAULT_HOSTS, Lab
from kraut_lab.requirements import install_packages
from kraut_lab.status import lab_status

_NOT_READY = 3


@click.group(short_help="A private cloud on one machine: real hosts, control plane and Temporal.")
def lab() -> None:
    """A private cloud on one machine, of real parts, to try kraut with.

    etcd, kube-apiserver and kube-controller-manager, Temporal with its UI, and Debian hosts with systemd, sshd
    and pending updates, reached over SSH. Hosts need Linux, root and a few Debian packages.
    """


@lab.command(short_help="Start a lab, or what of it does not run.")
@lab_options
@click.option(
    "--hosts",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"How many hosts. [default: as many as there are, {DEFAULT_HOSTS} at first, none with --sites]",
)
@click.option("--no-components", is_flag=True, help="Do not start kraut-operator and kraut-worker.")
@click.option("--debian-updates", is_flag=True, help="New lab: the hosts also have Debian's own updates.")
@click.option("--needrestart", is_flag=True, help="New hosts have needrestart.")
@click.option(
    "--sites",
    metavar="NAME,...",
    default="",
    help="New lab: clusters that trust each other, the home cluster first, e.g. east,west.",
)
@click.option("--dex", is_flag=True, help="Dex between the sites: RFC 8693 token exchange.")
@click.option("--keycloak", is_flag=True, help="Keycloak between the sites: RFC 7523 grants.")
@click.option("--suite", default="bookworm", show_default=True, help="New hosts' Debian release, a codename.")
@click.option("--kubernetes", type=click.Choice(kubernetes_minors()), help="New lab: minor of Kubernetes. [newest]")
def up(
    *,
    lab: Lab,
    hosts: int | None,
    no_components: bool,
    debian_updates: bool,
    needrestart: bool,
    suite: str,
    kubernetes: str | None,
    sites: str,
    dex: bool,
    keycloak: bool,
) -> None:
    """Start a lab. What runs is kept, what has died is started again."""
    began = time.monotonic()
    image = HostImage(suite, packages=("needrestart",) if needrestart else ())
    lab.up(
        hosts=hosts,
        components=not no_components,
        debian_updates=debian_updates,
        image=image,
        kubernetes=kubernetes,
        sites=[name for name in sites.split(",") if name],
        dex=dex,
        keycloak=keycloak,
    )
    flag = "" if lab.name == "default" else f" --name {lab.name}"
    click.echo(
        f"The lab {lab.name} is up, after {time.monotonic() - began:.0f} s. Temporal's UI: {lab.temporal.ui}", err=True
    )
    apply = f"; kraut lab manifests{flag} | kubectl apply -f -" if lab.record.hosts else ""
    click.echo(f'Next: eval "$(kraut lab env{flag})"{apply}', err=True)


@lab.command(short_help="Show the parts of a lab.")
@lab_options
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def status(context: click.Context, *, lab: Lab, output: str) -> None:
    """Show the parts of a lab; exit code 3 when one that should run is not ready."""
    parts = lab_status(lab)
    click.echo(status_json(parts) if output == "json" else status_table(parts))
    if any(part.wanted and part.state != "Ready" for part in parts):
        context.exit(_NOT_READY)


@lab.command(short_help="Print what a shell needs to use a lab.")
@lab_options
@click.option("-o", "--output", type=click.Choice(["shell", "json"]), default="shell", show_default=True)
def env(*, lab: Lab, output: str) -> None:
    """Print export lines: eval "$(kraut lab env)". As JSON: also the hosts, and each identity's kubeconfig."""
    if output == "json":
        click.echo(as_json(lab.describe()))
    else:
        click.echo(shell_exports(lab.environment()))


@lab.command(
    "exec",
    short_help="Run a command where the names of a lab's sites resolve.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@lab_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(*, lab: Lab, command: tuple[str, ...]) -> None:
    """Run COMMAND with the lab's environment, where the names of its issuers and providers resolve.

    kraut lab exec -- kraut oidc check https://oidc.east.lab.test:20443
    """
    if lab.federation is None:
        raise LabError(f"The lab {lab.name} has no names of its own: they come with `kraut lab up --sites east,west`.")
    variables = [f"{name}={value}" for name, value in lab.environment().items()]
    # The command becomes this process: its output, exit code and signals are its own.
    argv = lab.federation.host_names.wrap(["/usr/bin/env", *variables, *command])
    os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted


@lab.command(short_help="Print the hosts of a lab as kraut's resources.")
@lab_options
def manifests(*, lab: Lab) -> None:
    """Print a Secret, an UpgradePolicy and a Host per host: kraut lab manifests | kubectl apply -f -.

    The Secret holds the lab's own SSH key, which opens nothing but this lab's hosts.
    """
    if not lab.hosts:
        raise LabError(f"The lab {lab.name} has no hosts: run `kraut lab up --hosts 1` or more first.")
    machines = [Machine(host.name, host.address, host.port, host.user, host.host_key) for host in lab.hosts]
    click.echo(demo_yaml(machines, lab.ssh.private_key.read_text(), updates="None"), nl=False)


@lab.command(short_help="Remove a lab and everything it made.")
@lab_options
def down(*, lab: Lab) -> None:
    """Remove a lab: processes, hosts, network, state. Binaries and base systems stay in the cache."""
    lab.down()
    click.echo(f"The lab {lab.name} is gone.", err=True)


@lab.command(short_help="Install the Debian packages that hosts and Keycloak need.")
def setup() -> None:
    """Install the Debian packages that hosts and Keycloak need, with apt-get, as root."""
    with show_progress() as progress:
        progress("looking for Debian packages that are missing")
        installed = install_packages()
    click.echo(f"Installed: {', '.join(installed)}." if installed else "Nothing is missing.", err=True)


lab.add_command(demo)
lab.add_command(demo_identity)
