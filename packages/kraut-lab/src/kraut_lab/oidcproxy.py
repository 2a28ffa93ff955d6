"""kraut-oidc-proxy in a lab: publishes the issuer of a control plane over TLS, under a name of the lab."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kraut_lab.components import is_startable
from kraut_lab.controlplane import ControlPlane
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_lab.controlplane.manifests import NAMESPACE
from kraut_lab.daemon import Daemon
from kraut_lab.errors import LabError
from kraut_lab.pki import KeyPair
from kraut_lab.ports import recorded_ports, replace_taken_ports

NAME: Final = "kraut-oidc-proxy"
_TOKEN_SECONDS: Final = 30 * 24 * 3600


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback."""

    public: int
    probe: int


class OidcProxy:
    """One proxy whose state is in a folder."""

    def __init__(self, folder: Path, host: str) -> None:
        """Args: host: the name under which the world of the lab sees it."""
        self.daemon = Daemon(folder, NAME)
        self._host = host
        self._folder = folder

    @property
    def issuer(self) -> str:
        """The issuer's URL. Its port is chosen when it is first asked for, and kept."""
        return f"https://{self._host}:{self._ports.public}"

    def choose_ports(self) -> None:
        """Replace ports that something else has taken meanwhile; call while the API server is down."""
        replace_taken_ports(self._ports_file)

    def is_ready(self) -> bool:
        """Whether it has keys to publish."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports.probe}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start(self, plane: ControlPlane, pair: KeyPair, *, max_age_seconds: int) -> None:
        """Start it and wait until it publishes keys.

        Raises:
            LabError: its package is not installed.
            PartFailedError: it ended; the message carries the end of its log.
        """
        if not is_startable("oidc_proxy"):
            raise LabError("python -m kraut_oidc_proxy cannot be run: install the package kraut-oidc-proxy here.")
        kubeconfig = plane.kubeconfig(NAME)
        identity = {"user": NAME, "namespace": NAMESPACE}
        token = plane.service_account_token(NAMESPACE, NAME, seconds=_TOKEN_SECONDS)
        write_token_kubeconfig(kubeconfig, server=plane.url, ca=plane.ca, token=token, **identity)
        environment = {
            "KRAUT_OIDC_ISSUER": self.issuer,
            "KRAUT_OIDC_HOST": "127.0.0.1",
            "KRAUT_OIDC_PORT": str(self._ports.public),
            "KRAUT_OIDC_POLL_SECONDS": "1",
            "KRAUT_OIDC_RETAIN_SECONDS": "2",
            "KRAUT_OIDC_MAX_AGE_SECONDS": str(max_age_seconds),
            "KRAUT_PROBE_HOST": "127.0.0.1",
            "KRAUT_PROBE_PORT": str(self._ports.probe),
            "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
            "KRAUT_TLS_CERT_FILE": str(pair.certificate),
            "KRAUT_TLS_KEY_FILE": str(pair.key),
        }
        self.daemon.start([sys.executable, "-m", "kraut_oidc_proxy"], environment)
        self.daemon.wait_ready(self.is_ready, "answers /readyz")

    @property
    def _ports_file(self) -> Path:
        return self._folder / f"{NAME}.json"

    @property
    def _ports(self) -> Ports:
        return Ports(**recorded_ports(self._ports_file, Ports))
