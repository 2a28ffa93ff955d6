"""Cluster east with an issuer that kraut-oidc-proxy publishes over TLS, a Dex that trusts it, and cluster west that trusts both."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml

from kraut_core.identity.adapters.tokenrequest import TokenRequestSource
from kraut_core.identity.authentication import Issuer, build_configuration, trust_cluster, trust_provider
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.kube.client import KubeClient
from kraut_core.kube.testing import point_kubeconfig
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_lab.dex import Connector, Dex
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import choose_ports
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import ProxyProcess, Reply

LOOPBACK = (ip_network("127.0.0.0/8"),)
MAX_AGE_SECONDS = 10
"""Of what the proxy serves: short, so that a test can outwait it."""
WEST = "https://api.west.example.com"
"""The audience of cluster west."""


@dataclass
class Site:
    """Everything of the two clusters that a test uses."""

    issuer: str
    ca: Path
    server: AnotherApiServer
    kubeconfig: Path
    dex: Dex
    folder: Path
    proxy: ProxyProcess
    proxy_kubeconfig: Path
    cluster_ca: Path
    max_age_seconds: int = MAX_AGE_SECONDS

    def renew_proxy_identity(self) -> None:
        """Give the proxy a token of the key that signs now, as the kubelet does at 80 % of a token's life."""
        write_proxy_kubeconfig(self.proxy_kubeconfig, self.server, self.cluster_ca, self.issuer)

    async def published(self, *keys: str) -> None:
        """Wait until exactly these keys are public, by key id."""
        tls = ssl.create_default_context(cafile=str(self.ca))

        def wanted(reply: Reply) -> bool:
            return {key["kid"] for key in reply.json().get("keys", [])} == set(keys)

        await self.proxy.until_get(JWKS_PATH, wanted, tls=tls)

    def described(self, url: str, audience: str) -> Issuer:
        """An issuer in a kube-apiserver's configuration."""
        return Issuer(url=url, audience=audience, ca=self.ca.read_text())

    def trust(self, url: str, audience: str) -> TrustedIssuer:
        """An entry of a verifier's configuration."""
        return TrustedIssuer(url=url, audiences=frozenset({audience}), ca_file=self.ca, networks=LOOPBACK)


def write_proxy_kubeconfig(target: Path, server: AnotherApiServer, ca: Path, issuer: str) -> None:
    token = server.token("kraut-system", "kraut-oidc-proxy", issuer)
    identity = {"user": "proxy", "token": token, "namespace": "kraut-system"}
    write_token_kubeconfig(target, server=server.url, ca=ca, **identity)


@pytest.fixture(scope="module")
def authority(lab_folder: Path) -> CertificateAuthority:
    return CertificateAuthority(lab_folder / "identity", "lab-ca")


@pytest.fixture(scope="module")
async def site(control_plane, authority, tmp_path_factory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("identity")
    [port] = choose_ports(1)
    issuer, ca = f"https://localhost:{port}", authority.files.certificate
    server = AnotherApiServer(control_plane, "east")
    dex = Dex(control_plane.folder, authority, connectors=[Connector("east", issuer, ca)], clients=["west", "north"])
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        server.start(issuer=issuer)
        kubeconfig = folder / "proxy.kubeconfig"
        write_proxy_kubeconfig(kubeconfig, server, control_plane.ca, issuer)
        pair = authority.issue("oidc-proxy", "oidc-proxy", hosts=("localhost",))
        settings = {
            "KRAUT_OIDC_ISSUER": issuer,
            "KRAUT_OIDC_PORT": str(port),
            "KRAUT_OIDC_MAX_AGE_SECONDS": str(MAX_AGE_SECONDS),
            "KRAUT_OIDC_RETAIN_SECONDS": "2",
            "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
            "KRAUT_TLS_CERT_FILE": str(pair.certificate),
            "KRAUT_TLS_KEY_FILE": str(pair.key),
        }
        admin = point_kubeconfig(control_plane.kubeconfig(), server.url, folder / "east.kubeconfig")
        async with ProxyProcess.running(settings, folder / "proxy.log") as proxy:
            tls = ssl.create_default_context(cafile=str(ca))
            await proxy.until_get(JWKS_PATH, lambda reply: reply.status == 200, tls=tls)
            stack.callback(dex.stop)
            dex.start()
            yield Site(issuer, ca, server, admin, dex, folder, proxy, kubeconfig, control_plane.ca)


@pytest.fixture(scope="module")
async def west(site, control_plane) -> AsyncIterator[AnotherApiServer]:
    """A kube-apiserver that trusts east's issuer directly, and Dex."""
    config = site.folder / "authentication.yaml"
    entries = [trust_cluster(site.described(site.issuer, WEST), "east")]
    entries.append(trust_provider(site.described(site.dex.issuer, "west"), ["east"]))
    config.write_text(yaml.safe_dump(build_configuration(entries)))
    server = AnotherApiServer(control_plane, "west")
    server.start(more={"authentication-config": str(config)})
    yield server
    server.kill()


@pytest.fixture
async def east_worker(site) -> AsyncIterator[TokenRequestSource]:
    """Tokens of east's service account kraut-worker."""
    async with KubeClient.connect(str(site.kubeconfig)) as kube:
        yield TokenRequestSource(kube, "kraut-system", "kraut-worker")
