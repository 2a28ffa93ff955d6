"""One Keycloak on loopback, over TLS of the lab's authority, started from the distribution that all labs share.

https://www.keycloak.org/server/features: client-auth-federated, kubernetes-service-accounts, jwt-authorization-grant.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kraut_lab.assets.keycloak import built_distribution, java_command
from kraut_lab.daemon import Daemon
from kraut_lab.files import write_atomically
from kraut_lab.hostnames import plain
from kraut_lab.keycloak.realms import GRANT_REALM, REALM, Account, assertion_realm, grant_realm
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import recorded_ports, replace_taken_ports
from kraut_lab.progress import Progress, silent
from kraut_lab.settings import LabSettings, load_lab_settings

READY_SECONDS: Final = 900.0
"""It takes 20 s of processor time; the deadline only ends what hangs."""
_TIMEOUT_SECONDS: Final = 10


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback."""

    https: int
    management: int


class Keycloak:
    """One Keycloak whose state is in a lab's folder; it forgets everything when it ends.

    Service accounts are clients of the realm `REALM`, with no secret. With ``keys`` there is `GRANT_REALM` too.
    """

    def __init__(
        self,
        folder: Path,
        authority: CertificateAuthority,
        *,
        accounts: Sequence[Account],
        audiences: Sequence[str],
        keys: Mapping[str, Mapping[str, Any]] | None = None,
        host: str = "localhost",
        wrap: Callable[[Sequence[str]], list[str]] = plain,
        settings: LabSettings | None = None,
        progress: Progress = silent,
    ) -> None:
        """Args:
        authority: signs its certificate, and those of the accounts' issuers.
        audiences: optional scopes of every client, each adds the audience of its name to a token.
        keys: clients that sign their assertions: a public JWK by client id.
        host: the name that its issuers have.
        wrap: makes the command line with which it starts, e.g. `HostNames.wrap`.
        """
        self.daemon = Daemon(folder, "keycloak")
        self._home = folder / "keycloak"
        self._authority = authority
        self._realms = {REALM: assertion_realm(accounts, audiences, keys or {})}
        if keys:
            self._realms[GRANT_REALM] = grant_realm(accounts, audiences, keys)
        self._host = host
        self._wrap = wrap
        self._settings = settings or load_lab_settings()
        self._progress = progress

    @property
    def issuer(self) -> str:
        """The issuer URL of `REALM`; also the audience that a service account's token must have there."""
        return self.issuer_of(REALM)

    @property
    def token_endpoint(self) -> str:
        """Where tokens of `REALM` are given."""
        return self.token_endpoint_of(REALM)

    def issuer_of(self, realm: str) -> str:
        """The issuer URL of a realm."""
        return f"https://{self._host}:{self._ports.https}/realms/{realm}"

    def token_endpoint_of(self, realm: str) -> str:
        """Where tokens of a realm are given."""
        return f"{self.issuer_of(realm)}/protocol/openid-connect/token"

    def start(self) -> None:
        """Start it and wait until it serves the realms; the very first time it is fetched and built.

        Raises:
            MissingRequirementError: Java or Maven is missing.
            PartFailedError: it ended; the message carries the end of its log.
        """
        if not self.daemon.is_running():
            replace_taken_ports(self._ports_file)
            distribution = built_distribution(self._settings.cache_dir, self._progress)
            self._prepare(distribution)
            self._progress("starting Keycloak")
            command = java_command(distribution, self._home, ["start", "--optimized", *self._flags()])
            self.daemon.start(self._wrap(command), {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self._home)})
        self.daemon.wait_ready(self.is_ready, "serves its realms", timeout=READY_SECONDS)

    def is_ready(self) -> bool:
        """Whether it serves its realms."""
        context = ssl.create_default_context(cafile=str(self._authority.files.certificate))
        return all(self._serves(realm, context) for realm in self._realms)

    def stop(self) -> None:
        """End it at once; everything it remembers goes with it."""
        self.daemon.stop(grace=0)

    def _serves(self, realm: str, context: ssl.SSLContext) -> bool:
        url = f"https://localhost:{self._ports.https}/realms/{realm}/.well-known/openid-configuration"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=context) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    @property
    def _ports_file(self) -> Path:
        return self._home.parent / "keycloak.json"

    @property
    def _ports(self) -> Ports:
        return Ports(**recorded_ports(self._ports_file, Ports))

    def _prepare(self, distribution: Path) -> None:
        """Its home: the shared libraries, and folders of its own for what it reads and writes."""
        for folder in ("conf", "providers", "data/import"):
            (self._home / folder).mkdir(parents=True, exist_ok=True)
        (self._home / "lib").unlink(missing_ok=True)
        (self._home / "lib").symlink_to(distribution / "lib")
        for realm, document in self._realms.items():
            write_atomically(self._home / "data" / "import" / f"{realm}-realm.json", json.dumps(document))

    def _flags(self) -> list[str]:
        hosts = (*dict.fromkeys((self._host, "localhost")), "127.0.0.1")
        pair = self._authority.issue("keycloak", "keycloak", hosts=hosts)
        flags = {
            "hostname": f"https://{self._host}:{self._ports.https}",
            "http-host": "127.0.0.1",
            "https-port": str(self._ports.https),
            "http-management-port": str(self._ports.management),
            "https-certificate-file": str(pair.certificate),
            "https-certificate-key-file": str(pair.key),
            "truststore-paths": str(self._authority.files.certificate),
            "cache": "local",
        }
        return ["--import-realm", *(f"--{name}={value}" for name, value in flags.items())]
