"""All sites of a lab, and the providers between them: who trusts whom, started in the right order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from kraut_lab.assets import Binaries
from kraut_lab.dex import Connector, Dex
from kraut_lab.errors import LabError
from kraut_lab.hostnames import HostNames, full_name
from kraut_lab.keycloak import Account, Keycloak
from kraut_lab.pki import CertificateAuthority
from kraut_lab.progress import Progress, silent
from kraut_lab.settings import LabSettings
from kraut_lab.sites import trust
from kraut_lab.sites.kubeconfig import write_contexts
from kraut_lab.sites.site import Site, issuer_name

WORKER: Final = "system:serviceaccount:kraut-system:kraut-worker"


class Federation:
    """The clusters of a lab. The first is its home: it lives in the lab's own folder, and kraut's processes run there."""

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        *,
        dex: bool = False,
        keycloak: bool = False,
        settings: LabSettings | None = None,
        minor: str | None = None,
        binaries: Binaries | None = None,
        progress: Progress = silent,
    ) -> None:
        """Args: folder: the lab's. names: of the sites. dex, keycloak: whether it stands between them."""
        self.folder = folder
        self.host_names = HostNames(folder, [*(issuer_name(name) for name in names), "dex", "keycloak"])
        self.sites = tuple(
            Site(
                name,
                folder if index == 0 else folder / "sites" / name,
                names=self.host_names,
                binaries=binaries,
                minor=minor,
                progress=progress,
            )
            for index, name in enumerate(names)
        )
        self._has_dex = dex
        self._has_keycloak = keycloak
        self._settings = settings
        self._binaries = binaries
        self._progress = progress

    @property
    def home(self) -> Site:
        """The first site."""
        return self.sites[0]

    @property
    def ca(self) -> Path:
        """PEM file of the authority that signed the certificates of all issuers and providers."""
        return self._authority.files.certificate

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with a context per site, named as the site; the first is the current one."""
        return self.folder / "kubeconfigs" / "sites.kubeconfig"

    @cached_property
    def dex(self) -> Dex | None:
        """Dex with a connector and a client per site, named as the site; None when there is none."""
        if not self._has_dex:
            return None
        connectors = [Connector(site.name, site.issuer, self.ca) for site in self.sites]
        return Dex(
            self.folder,
            self._authority,
            connectors=connectors,
            clients=[site.name for site in self.sites],
            host=full_name("dex"),
            wrap=self.host_names.wrap,
            binaries=self._binaries,
            progress=self._progress,
        )

    @cached_property
    def keycloak(self) -> Keycloak | None:
        """Keycloak, which knows kraut-worker of every site; the optional scopes are named as the sites."""
        if not self._has_keycloak:
            return None
        return Keycloak(
            self.folder,
            self._authority,
            accounts=[Account(site.name, site.issuer, WORKER) for site in self.sites],
            audiences=[site.name for site in self.sites],
            host=full_name("keycloak"),
            wrap=self.host_names.wrap,
            settings=self._settings,
            progress=self._progress,
        )

    def site(self, name: str) -> Site:
        """The site of a name. Raises LabError when there is none."""
        for site in self.sites:
            if site.name == name:
                return site
        raise LabError(f"The lab has no site {name!r}; it has {', '.join(site.name for site in self.sites)}.")

    def start(self) -> None:
        """Start what does not run, and wait until all is ready.

        Raises:
            PartFailedError: a process ended; the message carries the end of its log.
        """
        self.host_names.write()
        for site in self.sites:
            # Its URL is part of the flags of the API server, so it must be settled before that starts.
            if not site.control_plane.apiserver.is_running() and not site.proxy.daemon.is_running():
                site.proxy.choose_ports()
        for site in self.sites:
            site.trust(list(self._trusted_by(site)))
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(lambda site: site.start(self._authority), self.sites):
                pass
        write_contexts(self.kubeconfig, {site.name: site.kubeconfig for site in self.sites})
        # It reads every connector's discovery document when it starts.
        if self.dex:
            self.dex.start()
        if self.keycloak:
            self.keycloak.start()

    def environment(self) -> dict[str, str]:
        """Variables for a shell: each site's own kubeconfig, and the authority that signed the issuers' certificates."""
        kubeconfigs = {f"KUBECONFIG_{site.name.upper().replace('-', '_')}": str(site.kubeconfig) for site in self.sites}
        return {**kubeconfigs, "LAB_CA": str(self.ca)}

    def describe(self) -> dict[str, Any]:
        """What a program needs to use the sites, as JSON."""
        known = {"dex": self.dex, "keycloak": self.keycloak}
        providers = {
            name: {"issuer": provider.issuer, "tokenEndpoint": provider.token_endpoint}
            for name, provider in known.items()
            if provider
        }
        return {
            "sites": [
                {
                    "name": site.name,
                    "issuer": site.issuer,
                    "audience": site.audience,
                    "server": site.control_plane.url,
                    "kubeconfig": str(site.kubeconfig),
                    "authenticationConfiguration": str(site.authentication_file),
                    **({"dexSecretFile": str(self.dex.secret_file(site.name))} if self.dex else {}),
                }
                for site in self.sites
            ],
            "providers": providers,
            "ca": str(self.ca),
        }

    @cached_property
    def _authority(self) -> CertificateAuthority:
        return CertificateAuthority(self.folder / "federation", "lab-ca")

    def _trusted_by(self, target: Site) -> Iterator[trust.Authenticator]:
        ca = self.ca.read_text()
        others = [site for site in self.sites if site is not target]
        for source in others:
            yield trust.direct(source.name, issuer=source.issuer, audience=target.audience, ca=ca)
        if self.dex and others:
            names = [site.name for site in others]
            yield trust.through_dex(names, issuer=self.dex.issuer, audience=target.name, ca=ca)
        if self.keycloak and others:
            names = [site.name for site in others]
            yield trust.through_keycloak(names, issuer=self.keycloak.issuer, audience=target.name, ca=ca)
