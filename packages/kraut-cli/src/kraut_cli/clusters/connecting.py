"""The steps of ``kraut cluster connect``: read both sides, refuse what cannot work, then write."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kraut_cli.clusters.applying import apply_all, read_bindings, read_issuer, read_version
from kraut_cli.clusters.authorities import read_authorities, take_certificates
from kraut_cli.clusters.files import read_exchange, read_yaml, server_in, write_when_changed
from kraut_cli.clusters.manifests import Manifest, Wish, home_manifests, left_over, path_of, target_manifests
from kraut_cli.formats.dump import name_of
from kraut_cli.inplace import one_writer
from kraut_cli.session import Session
from kraut_core.errors import InvalidSpecError
from kraut_core.identity.authentication import (
    V1,
    Issuer,
    api_version_of,
    build_configuration,
    trust_cluster,
    trust_keycloak,
    trust_provider,
)
from kraut_core.identity.joining import join_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command; see their help."""

    name: str
    namespace: str
    audience: str
    home_name: str
    target_kubeconfig: Path | None
    target_context: str | None
    target_version: str | None
    server: str | None
    ca_file: Path | None
    service_account: str
    cluster_role: tuple[str, ...]
    issuer: str | None
    issuer_ca: Path | None
    discovery_url: str | None
    provider: Path | None
    provider_issuer: str | None
    provider_claim: str | None
    replace: bool
    second_issuer: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be on this side, on the other side, and in the other API server's file: ``entry``, which makes ``configuration`` of
    what stands there now. ``api_version`` is for a new file; ``left`` says what earlier connections left on the other side.
    """

    home: list[Manifest]
    target: list[Manifest]
    entry: dict[str, Any]
    api_version: str
    configuration: dict[str, Any]
    left: list[str]

    @property
    def cluster_path(self) -> str:
        """The Cluster on this cluster's API server."""
        return path_of(self.home[-1])


class Connecting:
    """One connection from the cluster of ``session`` to another one."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self._options = options
        kubeconfig = options.target_kubeconfig
        self._target = Session(str(kubeconfig), options.target_context) if kubeconfig is not None else None

    def plan(self, *, existing: Path | None) -> Planned:
        """Read both sides and compute everything; nothing is written. Raises InvalidSpecError, click.UsageError."""
        options = self._options
        issuer = options.issuer or self.session.run(read_issuer)
        if issuer is None:
            raise click.UsageError("this cluster's issuer may not be read: name it with --issuer")
        api_version = self._api_version()
        found = self._target.run(read_issuer) if self._target is not None else None
        if found == issuer:
            raise InvalidSpecError(
                f"both clusters have the issuer {issuer}, so neither can trust the other: give each an issuer of its own (--service-account-issuer)"
            )
        wish, entry = self._wish(found), self._entry(issuer)
        configuration = self._configuration(entry, api_version, existing)
        left = left_over(wish, self._target.run(read_bindings)) if self._target is not None else []
        return Planned(home_manifests(wish), target_manifests(wish), entry, api_version, configuration, left)

    def _api_version(self) -> str:
        """Of a new document, as the other API server reads it. Raises InvalidSpecError when it reads none."""
        version = self._options.target_version
        if version is None and self._target is not None:
            version = self._target.run(read_version)
        return V1 if version is None else api_version_of(version)

    def _configuration(self, entry: dict[str, Any], api_version: str, path: Path | None) -> dict[str, Any]:
        """The document with the entry in it and all that stands there. Raises InvalidSpecError when that speaks against it, OSError."""
        options = self._options
        document = read_yaml(path, "an AuthenticationConfiguration") if path is not None and path.exists() else None
        joined = join_entry(document, entry, replace=options.replace, second_issuer=options.second_issuer)
        return build_configuration([joined], existing=document, api_version=api_version)

    def _wish(self, target_issuer: str | None) -> Wish:
        options = self._options
        server, ca = options.server, read_authorities(options.ca_file) if options.ca_file else ""
        if options.target_kubeconfig is not None:
            known = server_in(options.target_kubeconfig, options.target_context)
            server = server or known[0]
            if known[1] and not ca:
                ca = take_certificates(known[1], f"the kubeconfig {options.target_kubeconfig}")
        if not server:
            raise click.UsageError("name the --server, or give --target-kubeconfig")
        if (options.provider is None) != (options.provider_issuer is None):
            raise click.UsageError("--provider and --provider-issuer belong together")
        if options.provider_claim is not None and options.provider_issuer is None:
            raise click.UsageError(
                "--provider-claim says what stands in the tokens of --provider-issuer: name that too"
            )
        provider, client = read_exchange(options.provider) if options.provider else (None, {})
        return Wish(
            name=options.name,
            namespace=options.namespace,
            home=options.home_name,
            account=options.service_account,
            server=server.rstrip("/"),
            ca=ca,
            audience=options.audience,
            issuer=target_issuer,
            cluster_roles=options.cluster_role,
            provider=provider,
            client_authentication=client,
        )

    def _entry(self, issuer: str) -> dict[str, Any]:
        options = self._options
        trusted = Issuer(
            url=options.provider_issuer or issuer,
            audience=options.audience,
            ca=read_authorities(options.issuer_ca) if options.issuer_ca else "",
            discovery_url=options.discovery_url,
        )
        if options.provider_claim is not None:
            return trust_keycloak(trusted, [options.home_name], claim=options.provider_claim)
        if options.provider_issuer is not None:
            return trust_provider(trusted, [options.home_name])
        return trust_cluster(trusted, options.home_name)

    def check(self, plan: Planned) -> Iterator[str]:
        """Ask both API servers (dryRun=All); a line for each object. Raises what they refuse."""
        yield from self._apply(plan, dry_run=True)

    def write(self, plan: Planned) -> Iterator[str]:
        """Everything is checked first, then written: the other side, then this one, the Cluster last."""
        list(self._apply(plan, dry_run=True))
        yield from self._apply(plan, dry_run=False)

    def _apply(self, plan: Planned, *, dry_run: bool) -> Iterator[str]:
        said = " (dry run)" if dry_run else ""
        target = self._target
        if target is not None:
            done = target.run(lambda client: apply_all(client, plan.target, dry_run=dry_run))
            for manifest, what in zip(plan.target, done, strict=True):
                yield f"other cluster: {name_of(manifest)} {what}{said}"
        else:
            for manifest in plan.target:
                yield f"other cluster: {name_of(manifest)} is not written without --target-kubeconfig; --export prints it"
        done = self.session.run(lambda client: apply_all(client, plan.home, dry_run=dry_run))
        for manifest, what in zip(plan.home, done, strict=True):
            yield f"{name_of(manifest)} {what}{said}"

    def write_configuration(self, plan: Planned, path: Path, *, dry_run: bool) -> str:
        """Put the entry into the file as it is by now; says what was done. Raises InvalidSpecError, OSError."""
        if dry_run:
            would_be = self._configuration(plan.entry, plan.api_version, path)
            same = path.exists() and read_yaml(path, "an AuthenticationConfiguration") == would_be
            return f"{path} {'unchanged' if same else 'would be written'} (dry run)"
        with one_writer(path):
            # Since it was planned, both API servers and every issuer were asked: somebody else may have written it.
            written = write_when_changed(path, self._configuration(plan.entry, plan.api_version, path))
        return f"{path} {'written' if written else 'unchanged'}"
