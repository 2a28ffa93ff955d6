"""The proxy's parts, put together: read in the background, answer from memory, end when told to or when broken."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import structlog

from kraut_core.metrics import new_registry
from kraut_core.probes import Probes
from kraut_core.running import run_until
from kraut_core.serving import EmbeddedServer, Listener
from kraut_core.settings import SettingsError
from kraut_core.tls import ReloadingCertificate
from kraut_oidc_proxy.app import App, Resource
from kraut_oidc_proxy.document import Published
from kraut_oidc_proxy.issuers import (
    DISCOVERY_PATH,
    JWKS_PATH,
    Issuer,
    check_prefixes,
    make_issuer,
    parse_issuers,
    parse_servers,
)
from kraut_oidc_proxy.metrics import ProxyMetrics
from kraut_oidc_proxy.protocol import REQUEST_SECONDS, BoundedProtocol
from kraut_oidc_proxy.settings import OidcProxyProcessSettings
from kraut_oidc_proxy.upstream import Upstream

log = structlog.get_logger(__name__)

COMPONENT = "kraut-oidc-proxy"
KEEP_ALIVE_SECONDS = 75
"""Longer than gateways keep an idle connection before they send a request into it that then gets no answer."""


class OidcProxy:
    """One proxy process. Raises SettingsError or CertificateError when the configuration cannot be used."""

    def __init__(self, settings: OidcProxyProcessSettings) -> None:
        self._settings = settings
        self._registry = new_registry(component=COMPONENT, version=version(COMPONENT))
        self._metrics = ProxyMetrics(self._registry)
        self._certificate = self._load_certificate()
        self._routes: dict[bytes, Resource] = {}
        own, *further = find_issuers(settings)
        self._upstreams = [
            self._make_upstream(own, required=True),
            *(self._make_upstream(issuer, required=False) for issuer in further),
        ]

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until ``stopping``. Raises KrautError when a port is taken or the kubeconfig of its own issuer cannot be used."""
        async with AsyncExitStack() as stack:
            probes = Probes(self._settings.probe, self._registry)
            probes.add_readiness("issuers", self._trouble)
            await stack.enter_async_context(probes)
            public = self._make_listener()
            await public.start()
            stack.push_async_callback(public.stop)
            issuers = [upstream.issuer.url for upstream in self._upstreams]
            log.info("started", issuers=issuers, port=public.port, probe_port=probes.port, tls=self._secure)
            await run_until(stopping, *(upstream.run() for upstream in self._upstreams), *self._watch_certificate())
        log.info("stopped")

    @property
    def _secure(self) -> bool:
        return self._certificate is not None

    def _make_upstream(self, issuer: Issuer, *, required: bool) -> Upstream:
        discovery, keys = (self._route(issuer, path) for path in (DISCOVERY_PATH, JWKS_PATH))

        def publish(published: Published | None) -> None:
            discovery.serve(published.discovery if published else None)
            keys.serve(published.jwks if published else None)

        agent = f"{COMPONENT}/{version(COMPONENT)}"
        return Upstream(
            issuer, self._settings.oidc, self._metrics, user_agent=agent, publish=publish, required=required
        )

    def _route(self, issuer: Issuer, path: str) -> Resource:
        resource = Resource(
            issuer.url,
            path,
            max_age_seconds=self._settings.oidc.max_age_seconds,
            counter=self._metrics.requests,
            secure=self._secure,
        )
        self._routes[(issuer.prefix + path).encode()] = resource
        return resource

    def _make_listener(self) -> Listener:
        oidc = self._settings.oidc
        options: dict[str, Any] = {
            "http": BoundedProtocol,
            "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        }
        certificate = self._certificate
        if certificate is not None:
            options["ssl_context_factory"] = lambda _config, _default: certificate.context
        # Each refused connection would be a line of its own.
        server = EmbeddedServer(
            App(self._routes, self._metrics.requests, secure=self._secure),
            handshake_seconds=REQUEST_SECONDS,
            max_connections=oidc.max_connections,
            log_level="error",
            **options,
        )
        return Listener(server, host=oidc.host, port=oidc.port, purpose="the public port", settings="KRAUT_OIDC")

    def _load_certificate(self) -> ReloadingCertificate | None:
        tls = self._settings.tls
        if tls.cert_file is None or tls.key_file is None:
            return None
        certificate = ReloadingCertificate(tls.cert_file, tls.key_file)
        self._metrics.certificate.set_function(lambda: _seconds(certificate))
        self._metrics.certificate_failures.set_function(lambda: certificate.failures)
        return certificate

    def _watch_certificate(self) -> list[Coroutine[Any, Any, None]]:
        return [self._certificate.watch(self._settings.tls.reload_seconds)] if self._certificate else []

    def _trouble(self) -> str | None:
        """A cluster that is away does not take the others' issuers out of the Service; before all were asked, it waits."""
        if not all(upstream.tried for upstream in self._upstreams):
            return "not every API server was asked yet"
        if any(upstream.trouble is None for upstream in self._upstreams):
            return None
        return "; ".join(f"{upstream.issuer.url}: {upstream.trouble}" for upstream in self._upstreams)


def find_issuers(settings: OidcProxyProcessSettings) -> list[Issuer]:
    """The process's own issuer, then those of the file that the settings name. Raises SettingsError."""
    oidc, kube = settings.oidc, settings.kube
    first = make_issuer(
        oidc.issuer,
        jwks_uri=oidc.jwks_uri,
        kubeconfig=str(kube.kubeconfig) if kube.kubeconfig else None,
        context=kube.context,
        api_servers=parse_servers(oidc.api_servers),
    )
    issuers = [first]
    if oidc.issuers_file is not None:
        try:
            issuers += parse_issuers(oidc.issuers_file.read_text())
        except OSError as error:
            raise SettingsError(
                f"KRAUT_OIDC_ISSUERS_FILE: cannot read {oidc.issuers_file} ({error.strerror})"
            ) from None
    check_prefixes(issuers)
    return issuers


def _seconds(certificate: ReloadingCertificate) -> float:
    return certificate.not_after.timestamp()
