"""One cluster of several: its control plane, its issuer, and what it trusts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from kraut_lab.assets import Binaries
from kraut_lab.controlplane import ControlPlane
from kraut_lab.files import write_atomically
from kraut_lab.hostnames import HostNames, full_name
from kraut_lab.oidcproxy import OidcProxy
from kraut_lab.pki import CertificateAuthority
from kraut_lab.progress import Progress, silent
from kraut_lab.sites.trust import Authenticator, authentication_configuration

MAX_AGE_SECONDS: Final = 10
"""How long others may keep the keys: short, so that a rotation can be watched."""


class Site:
    """A cluster by its name; every method works on what an earlier process left in its folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        names: HostNames,
        binaries: Binaries | None = None,
        minor: str | None = None,
        progress: Progress = silent,
    ) -> None:
        """Args: folder: of this site alone. minor: a pinned Kubernetes minor such as ``v1.37``; default: the newest."""
        self.name = name
        self.folder = folder
        self.proxy = OidcProxy(folder, full_name(issuer_name(name)))
        self._names = names
        self._binaries = binaries
        self._minor = minor
        self._progress = progress

    @property
    def issuer(self) -> str:
        """Who signs the tokens of its service accounts."""
        return self.proxy.issuer

    @property
    def audience(self) -> str:
        """What a token must be for to be accepted here; also the API server's own, which other sites never ask for."""
        return f"https://{full_name(f'api.{self.name}')}"

    @property
    def authentication_file(self) -> Path:
        """The API server's AuthenticationConfiguration, which it reads again when it changes."""
        return self.folder / "authentication.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.control_plane.kubeconfig()

    @cached_property
    def control_plane(self) -> ControlPlane:
        """etcd, kube-apiserver and kube-controller-manager."""
        flags = {
            "service-account-issuer": self.issuer,
            "service-account-jwks-uri": f"{self.issuer}/openid/v1/jwks",
            # The default would be the issuer: what a token is for should not change with who signs it.
            "api-audiences": self.audience,
            "authentication-config": str(self.authentication_file),
        }
        return ControlPlane(
            self.folder,
            minor=self._minor,
            binaries=self._binaries,
            progress=self._progress,
            apiserver_flags=flags,
            wrap=self._names.wrap,
        )

    def trust(self, authenticators: Sequence[Authenticator]) -> None:
        """Write its AuthenticationConfiguration, unless it says so already."""
        text = json.dumps(authentication_configuration(authenticators), indent=2) + "\n"
        if not self.authentication_file.exists() or self.authentication_file.read_text() != text:
            write_atomically(self.authentication_file, text)

    def start(self, authority: CertificateAuthority) -> None:
        """Start what does not run: the control plane, then the proxy that publishes its issuer.

        Raises:
            PartFailedError: a process ended; the message carries the end of its log.
        """
        self.control_plane.start()
        self._progress(f"{self.name}: publishing {self.issuer}")
        host = full_name(issuer_name(self.name))
        pair = authority.issue(f"oidc-{self.name}", host, hosts=(host,))
        self.proxy.start(self.control_plane, pair, max_age_seconds=MAX_AGE_SECONDS)

    def token(self, audience: str, *, account: str = "kraut-worker", seconds: int = 3600) -> str:
        """A token of one of its service accounts in kraut-system, from the TokenRequest API."""
        return self.control_plane.service_account_token("kraut-system", account, audience=audience, seconds=seconds)


def issuer_name(site: str) -> str:
    """The host name of a site's issuer, without the lab's domain."""
    return f"oidc.{site}"
