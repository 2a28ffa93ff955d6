"""Keycloak, a real OpenID Connect provider that takes service account tokens by RFC 7523, over TLS of the lab's authority.

A service account is a client that authenticates with its own token (``client_assertion``): no secret exists.
https://www.keycloak.org/server/features: client-auth-federated, kubernetes-service-accounts.
"""

from __future__ import annotations

import json
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kraut_lab.assets.keycloak import VERSION, unpack
from kraut_lab.daemon import Daemon
from kraut_lab.errors import MissingRequirementError
from kraut_lab.files import write_atomically
from kraut_lab.hostnames import full_name
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import recorded_ports, replace_taken_ports
from kraut_lab.progress import Progress, silent
from kraut_lab.settings import LabSettings, load_lab_settings

REALM: Final = "kraut"
FEATURES: Final = "client-auth-federated,kubernetes-service-accounts"
READY_SECONDS: Final = 300.0
_TIMEOUT_SECONDS: Final = 10


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback; ``http`` is bound too, and used by nobody."""

    https: int
    http: int
    management: int


@dataclass(frozen=True)
class Account:
    """A service account of a cluster that may get tokens: its client is ``<cluster>:<sub>``."""

    cluster: str
    issuer: str
    subject: str

    @property
    def client(self) -> str:
        """The client's id."""
        return f"{self.cluster}:{self.subject}"


class Keycloak:
    """One Keycloak whose state is in a lab's folder, with the realm `REALM`; it forgets everything when it ends."""

    def __init__(
        self,
        folder: Path,
        authority: CertificateAuthority,
        *,
        accounts: Sequence[Account],
        audiences: Sequence[str],
        wrap: Callable[[Sequence[str]], list[str]],
        settings: LabSettings | None = None,
        progress: Progress = silent,
    ) -> None:
        """Args: audiences: optional scopes of every client, each adds the audience of its name to a token."""
        self.daemon = Daemon(folder, "keycloak")
        self._folder = folder / "keycloak"
        self._authority = authority
        self._accounts = tuple(accounts)
        self._audiences = tuple(audiences)
        self._wrap = wrap
        self._settings = settings or load_lab_settings()
        self._progress = progress

    @property
    def issuer(self) -> str:
        """The realm's issuer URL; also the audience that a service account's token must have here."""
        return f"https://{full_name('keycloak')}:{self._ports.https}/realms/{REALM}"

    @property
    def token_endpoint(self) -> str:
        """Where tokens are given."""
        return f"{self.issuer}/protocol/openid-connect/token"

    def start(self) -> None:
        """Start it and wait until it serves the realm.

        Raises:
            MissingRequirementError: Java or Maven is missing.
            PartFailedError: it ended; the message carries the end of its log.
        """
        java = shutil.which("java")
        if java is None:
            raise MissingRequirementError("Keycloak needs Java 17 or newer, which was not found on PATH: install it.")
        home = self._folder / f"keycloak-{VERSION}"
        if not self.daemon.is_running():
            replace_taken_ports(self._ports_file)
            unpack(self._settings.cache_dir, self._folder, self._progress)
            realm = home / "data" / "import" / f"{REALM}-realm.json"
            write_atomically(realm, json.dumps(self._realm()))
            self._progress("starting Keycloak")
            environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self._folder), "JAVA": java}
            self.daemon.start(self._wrap(["/bin/bash", str(home / "bin" / "kc.sh"), *self._flags()]), environment)
        self.daemon.wait_ready(self.is_ready, "serves its realm", timeout=READY_SECONDS)

    def is_ready(self) -> bool:
        """Whether it serves the realm."""
        context = ssl.create_default_context(cafile=str(self._authority.files.certificate))
        url = f"https://localhost:{self._ports.https}/realms/{REALM}/.well-known/openid-configuration"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=context) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    @property
    def _ports_file(self) -> Path:
        return self._folder.parent / "keycloak.json"

    @property
    def _ports(self) -> Ports:
        return Ports(**recorded_ports(self._ports_file, Ports))

    def _flags(self) -> list[str]:
        pair = self._authority.issue("keycloak", "keycloak", hosts=(full_name("keycloak"), "localhost"))
        flags = {
            "features": FEATURES,
            "hostname": f"https://{full_name('keycloak')}:{self._ports.https}",
            "http-host": "127.0.0.1",
            "http-port": str(self._ports.http),
            "https-port": str(self._ports.https),
            "http-management-port": str(self._ports.management),
            "https-certificate-file": str(pair.certificate),
            "https-certificate-key-file": str(pair.key),
            "truststore-paths": str(self._authority.files.certificate),
            "db": "dev-mem",
        }
        return ["start-dev", "--import-realm", *(f"--{name}={value}" for name, value in flags.items())]

    def _realm(self) -> dict[str, Any]:
        clusters = {account.cluster: account.issuer for account in self._accounts}
        return {
            "realm": REALM,
            "enabled": True,
            "accessTokenLifespan": 600,
            "identityProviders": [
                {"alias": name, "providerId": "kubernetes", "enabled": True, "config": {"issuer": issuer}}
                for name, issuer in clusters.items()
            ],
            "clientScopes": [_audience_scope(audience) for audience in self._audiences],
            "clients": [self._client(account) for account in self._accounts],
        }

    def _client(self, account: Account) -> dict[str, Any]:
        return {
            "clientId": account.client,
            "enabled": True,
            "publicClient": False,
            "standardFlowEnabled": False,
            "serviceAccountsEnabled": True,
            "clientAuthenticatorType": "federated-jwt",
            "attributes": {"jwt.credential.issuer": account.cluster, "jwt.credential.sub": account.subject},
            # None of Keycloak's default scopes: `roles` alone would add the audience `account`.
            "defaultClientScopes": [],
            "optionalClientScopes": list(self._audiences),
        }


def _audience_scope(audience: str) -> dict[str, Any]:
    return {
        "name": audience,
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "true"},
        "protocolMappers": [
            {
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": audience, "access.token.claim": "true"},
            }
        ],
    }
