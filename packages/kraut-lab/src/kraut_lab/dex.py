"""Dex, a real OpenID Connect provider with RFC 8693 token exchange, over TLS of the lab's authority.

https://dexidp.io/docs/configuration/tokens/#token-exchange
"""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kraut_lab.assets import Binaries, Program
from kraut_lab.assets.modules import modules_folder, required_version
from kraut_lab.daemon import Daemon
from kraut_lab.files import write_atomically
from kraut_lab.hostnames import plain
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import recorded_ports, replace_taken_ports
from kraut_lab.progress import Progress, silent

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant
RELEASE: Final = "v2.45.1"
"""What the pinned commit is; Dex's own module version cannot say it."""
_TIMEOUT_SECONDS: Final = 10


def dex_program() -> Program:
    """Dex, pure Go: the memory storage needs no CGO."""
    module = modules_folder() / "dex"
    version = required_version(module / "go.mod", "github.com/dexidp/dex")
    flags = f"-s -w -X main.version={RELEASE}"
    return Program("dex", version, "dex", module, "github.com/dexidp/dex/cmd/dex", flags)


@dataclass(frozen=True)
class Connector:
    """An issuer whose tokens Dex exchanges, under the name that a request gives as ``connector_id``."""

    id: str
    issuer: str
    ca: Path


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback."""

    https: int


class Dex:
    """One Dex whose state is in a lab's folder; one client per audience, each with a secret in a file of its own.

    It reads the discovery document of every connector when it starts, and ends when one of them does not answer.
    """

    def __init__(
        self,
        folder: Path,
        authority: CertificateAuthority,
        *,
        connectors: Sequence[Connector],
        clients: Sequence[str],
        host: str = "localhost",
        wrap: Callable[[Sequence[str]], list[str]] = plain,
        binaries: Binaries | None = None,
        progress: Progress = silent,
    ) -> None:
        """Args:
        authority: signs its certificate.
        clients: ids, which are the audiences of its tokens.
        host: the name that its issuer has.
        wrap: makes the command line with which it starts, e.g. `HostNames.wrap`.
        """
        self.daemon = Daemon(folder, "dex")
        self._folder = folder / "dex"
        self._authority = authority
        self._connectors = tuple(connectors)
        self._clients = tuple(clients)
        self._host = host
        self._wrap = wrap
        self._binaries = binaries or Binaries(progress=progress)
        self._progress = progress

    @property
    def issuer(self) -> str:
        """Its issuer URL, also the prefix of its endpoints."""
        return f"https://{self._host}:{self._ports.https}/dex"

    @property
    def token_endpoint(self) -> str:
        """Where tokens are exchanged."""
        return f"{self.issuer}/token"

    def secret_file(self, client: str) -> Path:
        """The file with a client's secret, made when absent."""
        file = self._folder / f"{client}.secret"
        if not file.exists():
            write_atomically(file, secrets.token_urlsafe(24))
        return file

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            PartFailedError: it ended, for example because a connector's issuer does not answer.
        """
        program = self._binaries.path(dex_program())
        if not self.daemon.is_running():
            replace_taken_ports(self._ports_file)
        config = self._folder / "config.yaml"
        # JSON is YAML; the file holds the clients' secrets and is readable by its owner only.
        write_atomically(config, json.dumps(self._config()))
        self._progress("starting Dex")
        self.daemon.start(self._wrap([str(program), "serve", str(config)]))
        self.daemon.wait_ready(self.is_ready, "answers /healthz")

    def is_ready(self) -> bool:
        """Whether it answers and all is well."""
        context = ssl.create_default_context(cafile=str(self._authority.files.certificate))
        try:
            with urllib.request.urlopen(
                f"https://localhost:{self._ports.https}/dex/healthz", timeout=_TIMEOUT_SECONDS, context=context
            ) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    def stop(self) -> None:
        """End it at once; everything it remembers goes with it."""
        self.daemon.stop(grace=0)

    @property
    def _ports_file(self) -> Path:
        return self._folder.parent / "dex.json"

    @property
    def _ports(self) -> Ports:
        return Ports(**recorded_ports(self._ports_file, Ports))

    def _config(self) -> dict[str, Any]:
        pair = self._authority.issue("dex", "dex", hosts=(*dict.fromkeys((self._host, "localhost")), "127.0.0.1"))
        return {
            "issuer": self.issuer,
            "storage": {"type": "memory"},
            "web": {
                "https": f"127.0.0.1:{self._ports.https}",
                "tlsCert": str(pair.certificate),
                "tlsKey": str(pair.key),
            },
            "oauth2": {"grantTypes": [TOKEN_EXCHANGE]},
            "expiry": {"idTokens": "10m"},
            "connectors": [self._connector(connector) for connector in self._connectors],
            "staticClients": [
                {"id": client, "name": client, "secret": self.secret_file(client).read_text()}
                for client in self._clients
            ],
        }

    def _connector(self, connector: Connector) -> dict[str, Any]:
        return {
            "type": "oidc",
            "id": connector.id,
            "name": connector.id,
            "config": {
                "issuer": connector.issuer,
                # Never used: nobody logs in through this connector, its tokens come by exchange.
                "clientID": "unused",
                "redirectURI": f"{self.issuer}/callback",
                "rootCAs": [str(connector.ca)],
                # Service account tokens have neither a name nor an e-mail address.
                "scopes": ["openid"],
                "userNameKey": "sub",
                "claimMapping": {"preferred_username": "sub"},
            },
        }
