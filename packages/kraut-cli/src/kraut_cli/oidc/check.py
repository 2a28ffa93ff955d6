"""``kraut oidc check``: whether others can trust an issuer, and what is wrong."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from kraut_cli.failures import CommandError, NotReadyError
from kraut_cli.formats.dump import as_json, as_yaml
from kraut_cli.oidc.findings import FORGED, Finding, as_document, problems, render, unknown
from kraut_cli.oidc.gather import (
    Reach,
    audience_of,
    exchanged,
    observe,
    read_source,
    token_source,
    with_targets,
)
from kraut_cli.oidc.judge import judge
from kraut_cli.oidc.misuses import ANOTHER_AUDIENCE, NOBODY
from kraut_cli.oidc.negative import attack, read_private_key
from kraut_cli.oidc.observations import Observations
from kraut_cli.oidc.provider import Provider, read_provider
from kraut_cli.oidc.target import Target
from kraut_cli.options import cluster_options, common_options, output_option
from kraut_cli.provider_options import client_authentication_option, provider_options
from kraut_cli.session import Session
from kraut_cli.terminal import progress
from kraut_core.errors import InvalidSpecError, KrautError
from kraut_core.identity.errors import HomeAudienceError
from kraut_core.identity.issuers import parse_networks
from kraut_core.identity.jwks import JwksError, PublicJwk, parse_jwks
from kraut_core.identity.sources import TokenSource


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for."""

    session: Session
    issuer: str | None
    reach: Reach
    token_file: Path | None
    service_account: str | None
    audience: str
    targets: tuple[Target, ...]
    provider: Provider | None
    negative: bool
    signing_key: Path | None
    removed_key: Path | None


@click.command(short_help="Say whether other clusters can trust an issuer, and what is wrong.")
@click.argument("issuer", required=False)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Authorities (PEM) of the issuer's and the provider's certificates; default: the system's.",
)
@click.option(
    "--allow-network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="Network to allow although blocked by default (loopback, link-local).",
)
@click.option(
    "--service-account", metavar="[NAMESPACE/]NAME", help="Get live tokens of this service account (TokenRequest)."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Use the token in this file as the live one; with --target its --audience must be named.",
)
@click.option("--audience", help="Audience of the live token, that of the target. [default: one that nobody has]")
@click.option(
    "--target",
    "contexts",
    multiple=True,
    metavar="CONTEXT",
    help="Cluster that should trust the issuer: a context of the kubeconfig. Its credentials there are not used.",
)
@click.option(
    "--token-endpoint", metavar="URL", help="Provider that should exchange tokens of the issuer (RFC 8693, RFC 7523)."
)
@client_authentication_option(None, "How the client shows itself. [default: by the secret or key that is given]")
@click.option("--client-id", help="This client of the provider.")
@click.option(
    "--client-secret-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the client's secret.",
)
@click.option("--connector", help="Dex: the connector that trusts the issuer; all else that Dex wants follows.")
@click.option(
    "--provider-audience", help="Audience that the provider wants. [default: the token endpoint without /token]"
)
@click.option("--exchanged-audience", help="Audience of what the provider gives. [default: the client's id]")
@provider_options
@click.option("--negative", is_flag=True, help="Present forged tokens to each --target: all must be refused.")
@click.option(
    "--signing-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="For --negative in a drill: the issuer's private key, so that forged tokens have one flaw only.",
)
@click.option(
    "--removed-key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="For --negative: a private key that was removed; its tokens must be refused.",
)
@output_option("table", "json", "yaml")
@cluster_options
@common_options
def check(
    issuer: str | None,
    *,
    session: Session,
    ca_file: Path | None,
    networks: Sequence[str],
    service_account: str | None,
    token_file: Path | None,
    audience: str | None,
    contexts: Sequence[str],
    negative: bool,
    signing_key: Path | None,
    removed_key: Path | None,
    output: str,
    **of_provider: Any,
) -> None:
    """Say whether other clusters, Dex or a cloud can trust the issuer ISSUER (a URL), and what is wrong.

    Looks at what is published as a stranger would, and compares it with the cluster of the kubeconfig (without ISSUER: the
    issuer of that cluster) and with a live token of --service-account. With --target also whether that cluster takes the
    token, with --token-endpoint whether a provider exchanges it. Changes nothing; tokens are shown nowhere.

    Exit code 0 when all is well or merely worth a warning, 3 when something keeps it from working or --negative got no verdict,
    1 when a target accepts a forged token.
    """
    if token_file and contexts and not audience:
        raise click.UsageError(
            "--token-file with --target needs --audience: whom the token is for, so that no other is shown to the target."
        )
    if negative and not contexts:
        raise click.UsageError("--negative needs a --target to present forged tokens to.")
    if negative and not (service_account or token_file):
        raise click.UsageError("--negative needs a good token to begin with: give --service-account or --token-file.")
    request = Request(
        session=session,
        issuer=issuer,
        reach=Reach(ca_file, parse_networks(networks)),
        token_file=token_file,
        service_account=service_account,
        audience=audience or (audience_of(token_file) if token_file else None) or NOBODY,
        targets=tuple(Target(session.kubeconfig, context) for context in contexts),
        provider=read_provider(of_provider),
        negative=negative,
        signing_key=signing_key,
        removed_key=removed_key,
    )
    try:
        with progress("looking at the issuer"):
            found, findings = asyncio.run(_run(request))
    except HomeAudienceError as error:
        raise click.UsageError(str(error)) from None
    document = as_document(found, findings)
    text = render(found, findings) if output == "table" else (as_json if output == "json" else as_yaml)(document)
    click.echo(text, nl=False)
    _end(findings)


def _end(findings: Sequence[Finding]) -> None:
    wrong = problems(findings)
    if accepted := [finding for finding in wrong if finding.check.startswith(FORGED)]:
        raise CommandError(f"{accepted[0].check}: {accepted[0].message}")
    # A target that was not asked about a forgery may accept it.
    unanswered = [finding for finding in findings if finding.level == "unknown" and finding.check.startswith(FORGED)]
    for finding in (*wrong, *unanswered):
        raise NotReadyError(f"{finding.check}: {finding.message}")


async def _run(request: Request) -> tuple[str, Sequence[Finding]]:
    async with AsyncExitStack() as stack:
        # Without a cluster it is only looked at from outside.
        asks = request.issuer is None or request.service_account is not None
        kube = await stack.enter_async_context(request.session.connect()) if asks else None
        source = await read_source(kube) if kube else None
        issuer = request.issuer or (source.issuer if source else None)
        if issuer is None:
            raise InvalidSpecError(f"name the ISSUER: the cluster does not say it ({source.error if source else ''})")
        tokens = token_source(
            kube,
            request.token_file,
            request.service_account,
            to_send=bool(request.targets or request.provider),
        )
        seen, live = await observe(issuer, request.reach, audience=request.audience, source=source, tokens=tokens)
        seen = await with_targets(seen, list(request.targets), live)
        if request.provider and tokens:
            seen = await _through_provider(request, seen, tokens)
        findings = list(judge(seen))
        if request.negative:
            findings += await _attack(request, seen, live, tokens)
        return issuer, findings


async def _through_provider(request: Request, seen: Observations, tokens: TokenSource) -> Observations:
    if request.provider is None:
        return seen
    came, token = await exchanged(request.provider, request.reach, tokens)
    return await with_targets(replace(seen, provider=came), list(request.targets), token)


async def _attack(
    request: Request, seen: Observations, live: str | None, tokens: TokenSource | None
) -> Sequence[Finding]:
    if live is None or tokens is None:
        return [unknown(FORGED, "there is no good token to begin with", "correct the findings above first")]
    signing, removed = read_private_key(request.signing_key), read_private_key(request.removed_key)
    found: list[Finding] = []
    foreign = None
    # A file holds one token for one audience; with the key it is made.
    if request.token_file is None and signing is None:
        try:
            foreign = (await tokens.token(NOBODY)).value
        except KrautError as error:
            found.append(unknown(f"{FORGED}: {ANOTHER_AUDIENCE}", f"no such token was given: {error}", "try again"))
    for target in request.targets:
        found += await attack(target, live, _keys(seen), foreign=foreign, signing=signing, removed=removed)
    return found


def _keys(seen: Observations) -> tuple[PublicJwk, ...]:
    try:
        return parse_jwks(seen.published.jwks.body) if seen.published.jwks else ()
    except JwksError:
        return ()
