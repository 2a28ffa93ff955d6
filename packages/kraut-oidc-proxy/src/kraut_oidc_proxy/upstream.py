"""Reads the API servers of one issuer in the background; whoever asks gets what was read last."""

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from kraut_core.errors import KrautError, PermanentError
from kraut_core.identity import jwks
from kraut_core.kube.backoff import Backoff
from kraut_core.kube.config import find_access
from kraut_core.kube.transport import Transport
from kraut_oidc_proxy.document import (
    MAX_DISCOVERY_BYTES,
    IssuerMismatchError,
    Published,
    build_documents,
    check_discovery,
)
from kraut_oidc_proxy.issuers import DISCOVERY_PATH, JWKS_PATH, Issuer
from kraut_oidc_proxy.keyring import KeyRing
from kraut_oidc_proxy.metrics import ProxyMetrics
from kraut_oidc_proxy.settings import OidcSettings

log = structlog.get_logger(__name__)

JITTER = 0.1


class Upstream:
    """One issuer's API servers. ``publish`` is called with what is to be served whenever that changes, None for nothing.

    ``required``: whether the process has no reason to run when the kubeconfig cannot be used at its start.
    """

    def __init__(
        self,
        issuer: Issuer,
        settings: OidcSettings,
        metrics: ProxyMetrics,
        *,
        user_agent: str,
        publish: Callable[[Published | None], None],
        required: bool = True,
    ) -> None:
        self.issuer = issuer
        self.trouble: str | None = "the API server was not read yet"
        """Why nothing is served; None while something is."""
        self.tried = False
        """Whether every API server was asked once."""
        self._settings = settings
        self._metrics = metrics
        self._publish = publish
        self._required = required
        self._published: Published | None = None
        self._ring = KeyRing(
            retain_seconds=settings.retain_seconds,
            max_stale_seconds=settings.max_stale_seconds,
            usual_seconds=settings.poll_seconds * (1 + JITTER) + settings.timeout_seconds,
        )
        self._transport = Transport(
            find_access(issuer.kubeconfig, issuer.context),
            user_agent=user_agent,
            timeout_seconds=settings.timeout_seconds,
            one_shot=True,
        )
        self._backoff = Backoff(clock=time.monotonic)

    async def run(self) -> None:
        """Read for ever. Raises PermanentError when it is ``required`` and its kubeconfig cannot be used at the start."""
        await self._open()
        try:
            while True:
                good = await self.poll()
                await asyncio.sleep(self._pause(good=good))
        finally:
            await self._transport.close()

    async def _open(self) -> None:
        while True:
            try:
                return await self._transport.open()
            except PermanentError as error:
                if self._required:
                    raise
                self.tried = True
                self._update(self._failed(None, error))
            await asyncio.sleep(self._pause(good=False))

    def _pause(self, *, good: bool) -> float:
        usual = self._settings.poll_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not a secret
        return usual if good else min(usual, self._backoff.fail())

    async def poll(self) -> bool:
        """Ask every API server once and publish what follows. Returns whether all answered well."""
        servers = self.issuer.api_servers or (None,)
        errors = await asyncio.gather(*(self._read(server) for server in servers))
        self.tried = True
        self._metrics.issuer_match.labels(self.issuer.url).set(
            0 if any(isinstance(error, IssuerMismatchError) for error in errors) else 1
        )
        self._update(next((error for error in errors if error is not None), None))
        return not any(errors)

    async def _read(self, server: str | None) -> KrautError | None:
        name = server or ""
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                body = await self._transport.read(DISCOVERY_PATH, max_bytes=MAX_DISCOVERY_BYTES, server=server)
                check_discovery(body, self.issuer.url)
                keys = await self._transport.read(JWKS_PATH, max_bytes=jwks.MAX_BYTES, server=server)
            self._ring.observe(name, jwks.parse_jwks(keys), time.monotonic())
        except IssuerMismatchError as error:
            self._ring.forget(name)
            return self._failed(server, error)
        except KrautError as error:
            return self._failed(server, error)
        except TimeoutError:
            return self._failed(
                server, KrautError(f"the API server should answer in {self._settings.timeout_seconds} s, it did not")
            )
        except Exception as error:  # Whatever it is, the last good keys are in this process.
            log.exception("reading an api server broke", issuer=self.issuer.url)
            return self._failed(server, KrautError(f"{type(error).__name__} while reading it: a defect, report it"))
        self._metrics.polls.labels(self.issuer.url, "ok").inc()
        self._metrics.last_success.labels(self.issuer.url).set_to_current_time()
        return None

    def _failed(self, server: str | None, error: KrautError) -> KrautError:
        self._metrics.polls.labels(self.issuer.url, error.reason).inc()
        log.warning(
            "api server not read",
            issuer=self.issuer.url,
            server=server or getattr(self._transport.access, "server", None),
            reason=error.reason,
            error=str(error),
        )
        return error

    def _update(self, error: KrautError | None) -> None:
        keys = self._ring.current(time.monotonic())
        before = self._published
        after = build_documents(self.issuer.url, self.issuer.jwks_uri, keys) if keys else None
        self.trouble = None if after else str(error or "the API servers have shown no keys for too long")
        self._metrics.serving.labels(self.issuer.url).set(1 if after else 0)
        if after == before:
            return
        self._published = after
        self._publish(after)
        old, new = before.keys if before else (), after.keys if after else ()
        self._metrics.show_keys(self.issuer.url, old, new)
        log.info(
            "keys changed",
            issuer=self.issuer.url,
            added=sorted(key.kid for key in set(new) - set(old)),
            removed=sorted(key.kid for key in set(old) - set(new)),
            total=len(new),
        )
