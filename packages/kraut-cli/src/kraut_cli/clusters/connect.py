"""``kraut cluster connect``: everything that both sides need so that kraut reaches another cluster without a shared secret."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from kraut_cli.clusters.connecting import Connecting, Options
from kraut_cli.clusters.issuers import EVERY_ISSUER, silent_issuers
from kraut_cli.formats.dump import as_yaml
from kraut_cli.options import cluster_options, common_options
from kraut_cli.session import Session
from kraut_cli.state import describe, is_ready
from kraut_cli.terminal import note, progress
from kraut_cli.waiting import Duration, wait_until

FILE: Final = click.Path(dir_okay=False, path_type=Path)
EXISTING: Final = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command(short_help="Let kraut reach another cluster.")
@click.argument("name")
@click.option(
    "--audience", required=True, help="Whom the tokens are for: one per cluster, by habit the URL of its API server."
)
@click.option("--home-name", required=True, help="Name of this cluster in the users of the other one: kraut:NAME:...")
@click.option(
    "--target-kubeconfig",
    type=EXISTING,
    help="Your access to the other cluster: its server is taken from here, its bindings are written with it.",
)
@click.option("--target-context", help="Context of that kubeconfig.")
@click.option(
    "--target-version",
    metavar="VERSION",
    help="Kubernetes version of the other API server, such as 1.33: its file is written as that one reads it. [default: as it says by --target-kubeconfig, else 1.34 or newer]",
)
@click.option(
    "--server", help="URL of the other API server, as kraut-worker reaches it. [default: as in --target-kubeconfig]"
)
@click.option("--ca-file", type=EXISTING, help="PEM authorities of that server. [default: as in --target-kubeconfig]")
@click.option(
    "--service-account",
    default="kraut",
    show_default=True,
    help="Account of this cluster that acts there; it is made when absent.",
)
@click.option(
    "--cluster-role", multiple=True, help="Bind this ClusterRole of the other cluster to it; may be given again."
)
@click.option("--issuer", help="Issuer of this cluster. [default: as its API server says]")
@click.option(
    "--issuer-ca", type=EXISTING, help="PEM authorities of the issuer, or of the provider, for the other API server."
)
@click.option("--discovery-url", help="Where the other API server reads the issuer's document, when that is elsewhere.")
@click.option(
    "--provider",
    type=EXISTING,
    help="Exchange: YAML with `provider` and `clientAuthentication`, as in spec.access.exchange.",
)
@click.option(
    "--provider-issuer", help="Exchange: the provider's issuer, which the other cluster trusts instead of this one's."
)
@click.option(
    "--provider-claim",
    metavar="NAME",
    help="Exchange: claim with HOME-NAME:SUB in the provider's tokens, such as Keycloak's azp. [default: Dex's claims]",
)
@click.option(
    "--authentication-config",
    type=FILE,
    help="Put the entry into this file of the other API server, keeping what stands there. [default: print the document]",
)
@click.option(
    "--replace", is_flag=True, help="Replace an entry of that file that says something else of the same issuer."
)
@click.option(
    "--second-issuer",
    is_flag=True,
    help="This cluster's issuer changes: trust the new one beside the old one that stands in that file.",
)
@click.option(
    "--export", is_flag=True, help="Print everything as YAML, for Git repositories; nothing is written anywhere."
)
@click.option(
    "--dry-run", is_flag=True, help="Ask both API servers whether they would take it; nothing is written anywhere."
)
@click.option("--wait", is_flag=True, help="Wait until kraut has reached the cluster.")
@click.option("--timeout", type=Duration(), default="5m", show_default=True, help="How long --wait waits.")
@cluster_options
@common_options
def connect(
    *,
    session: Session,
    export: bool,
    dry_run: bool,
    wait: bool,
    timeout: timedelta,
    authentication_config: Path | None,
    **options: Any,
) -> None:
    """Let kraut reach another cluster, with no secret of it in this one.

    The other API server trusts this cluster's issuer (or a provider that does), for one audience: that is an entry of its
    AuthenticationConfiguration, which is printed or put into its file. This cluster gets a service account, the right for
    kraut-worker to ask for tokens of this one account, and the Cluster; the other one gets bindings for the user that the
    account is there. Running it again with the same options changes nothing; with others it takes nothing away there, and says what is left.

    The other API server takes a changed file only when every issuer in it answers; one that does not answer from here is a warning.

    \b
    kraut cluster connect west --home-name east --audience https://api.west.example.com \\
      --target-kubeconfig west.kubeconfig > authentication.yaml
    """
    if export and (dry_run or wait or authentication_config):
        raise click.UsageError("--export writes nothing: leave out --dry-run, --wait and --authentication-config")
    if dry_run and wait:
        raise click.UsageError("--dry-run writes nothing, so there is nothing to --wait for")
    work = Connecting(session, Options(name=name_of(options), namespace=session.namespace, **options))
    plan = work.plan(existing=authentication_config)
    for problem in asyncio.run(silent_issuers(plan.configuration)):
        note(f"warning: {problem}")
    for sentence in plan.left:
        note(f"warning: {sentence}")
    if export:
        click.echo(_sections(plan.home, plan.target, plan.configuration), nl=False)
        return
    for line in work.check(plan) if dry_run else work.write(plan):
        note(line)
    if authentication_config is None:
        note(
            "put what follows into the file of --authentication-config of the other API server; it is read again by itself, "
            f"and {EVERY_ISSUER}"
        )
        click.echo(as_yaml(plan.configuration), nl=False)
    else:
        note(work.write_configuration(plan, authentication_config, dry_run=dry_run))
    if wait:
        wait_for_ready(work, plan.cluster_path, timeout)


def name_of(options: dict[str, Any]) -> str:
    """The argument NAME, taken out of the options."""
    return str(options.pop("name"))


def _sections(home: list[dict[str, Any]], target: list[dict[str, Any]], configuration: dict[str, Any]) -> str:
    titles = (
        "this cluster",
        "the other cluster",
        "the other API server: the file of --authentication-config, no object",
    )
    parts = (home, target, [configuration])
    return "".join(
        f"# {title}\n" + "".join(f"---\n{as_yaml(document)}" for document in documents)
        for title, documents in zip(titles, parts, strict=True)
    )


def wait_for_ready(work: Connecting, path: str, timeout: timedelta) -> None:
    """Wait until kraut reached it. Raises NotReadyError when it does not in time; an API server may need a minute for new keys."""
    with progress("waiting for kraut to reach it") as shown:
        work.session.run(
            lambda client: wait_until(client, path, is_ready, limit=timeout, progress=shown, describe=describe)
        )
