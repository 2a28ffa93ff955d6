"""Cluster east with an issuer that kraut-oidc-proxy publishes over TLS, a Dex that trusts it, and cluster west that trusts both."""

import asyncio
import base64
import contextlib
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
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
POLL_SECONDS = 1
"""How often the proxy asks the API server."""
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
    poll_seconds: int = POLL_SECONDS

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


@pytest.fixture(scope="package")
def authority(lab_folder: Path) -> CertificateAuthority:
    return CertificateAuthority(lab_folder / "identity", "lab-ca")


@contextlib.asynccontextmanager
async def running_site(
    control_plane, authority, folder: Path, name: str, *, with_dex: bool, max_age_seconds: int = MAX_AGE_SECONDS
) -> AsyncIterator[Site]:
    """Cluster east and what publishes its issuer; ``name`` is that of its API server in the lab."""
    [port] = choose_ports(1)
    issuer, ca = f"https://localhost:{port}", authority.files.certificate
    server = AnotherApiServer(control_plane, name)
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
            "KRAUT_OIDC_POLL_SECONDS": str(POLL_SECONDS),
            "KRAUT_OIDC_MAX_AGE_SECONDS": str(max_age_seconds),
            "KRAUT_OIDC_RETAIN_SECONDS": "2",
            "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
            "KRAUT_TLS_CERT_FILE": str(pair.certificate),
            "KRAUT_TLS_KEY_FILE": str(pair.key),
        }
        admin = point_kubeconfig(control_plane.kubeconfig(), server.url, folder / "east.kubeconfig")
        async with ProxyProcess.running(settings, folder / "proxy.log") as proxy:
            tls = ssl.create_default_context(cafile=str(ca))
            await proxy.until_get(JWKS_PATH, lambda reply: reply.status == 200, tls=tls)
            if with_dex:
                stack.callback(dex.stop)
                dex.start()
            yield Site(issuer, ca, server, admin, dex, folder, proxy, kubeconfig, control_plane.ca, max_age_seconds)


@contextlib.contextmanager
def running_west(control_plane, site: Site, name: str, entries) -> Iterator[AnotherApiServer]:
    """A kube-apiserver that trusts what ``entries`` say, by the file authentication.yaml of the site."""
    config = site.folder / "authentication.yaml"
    config.write_text(yaml.safe_dump(build_configuration(entries)))
    server = AnotherApiServer(control_plane, name)
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        server.start(more={"authentication-config": str(config)})
        yield server


def trust_east(site: Site):
    return trust_cluster(site.described(site.issuer, WEST), "east")


# Of the package: all files that a process runs share them, and they are gone before other tests begin. A test that changes keys
# or what west trusts takes `own_site` and `own_west`.


@pytest.fixture(scope="package")
async def site(control_plane, authority, tmp_path_factory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("identity")
    async with running_site(control_plane, authority, folder, "east", with_dex=True) as found:
        yield found


@pytest.fixture(scope="package")
def west(site, control_plane) -> Iterator[AnotherApiServer]:
    """A kube-apiserver that trusts east's issuer directly, and Dex."""
    through_dex = trust_provider(site.described(site.dex.issuer, "west"), ["east"])
    with running_west(control_plane, site, "west", [trust_east(site), through_dex]) as server:
        yield server


@pytest.fixture(scope="module")
async def own_site(control_plane, authority, tmp_path_factory) -> AsyncIterator[Site]:
    """Another cluster east, without Dex, whose keys a test may change. A kube-apiserver looks for keys 30 s before their age is
    over, so that with a shorter one it would look whenever it misses a key.
    """
    folder = tmp_path_factory.mktemp("own-identity")
    running = running_site(control_plane, authority, folder, "own-east", with_dex=False, max_age_seconds=40)
    async with running as found:
        yield found


@pytest.fixture(scope="module")
def own_west(own_site, control_plane) -> Iterator[AnotherApiServer]:
    """A kube-apiserver that trusts its issuer directly, and whatever a test writes into its file."""
    with running_west(control_plane, own_site, "own-west", [trust_east(own_site)]) as server:
        yield server


@pytest.fixture
async def east_worker(site) -> AsyncIterator[TokenRequestSource]:
    """Tokens of east's service account kraut-worker, for east itself, too: those are what a thief would show west."""
    async with KubeClient.connect(str(site.kubeconfig)) as kube:
        yield TokenRequestSource(kube, "kraut-system", "kraut-worker", to_send=False)


class Kubectl:
    """kubectl, as a person runs it: ``kubectl(kubeconfig, *words)``."""

    def __call__(self, config, *words, stdin=None):
        program = Path(sys.executable).with_name("kubectl")
        argv = [program, f"--kubeconfig={config}", f"--cache-dir={config.parent / '.cache'}", *words]
        env = {"HOME": str(config.parent)}
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=300, env=env)

    async def until_it_works(self, config, *words):
        """An API server looks for the keys of its issuers in the background after its start."""
        async with asyncio.timeout(150):
            while True:
                done = await asyncio.to_thread(self, config, *words)
                if done.returncode == 0:
                    return done
                await asyncio.sleep(0.3)


@pytest.fixture
def kubectl() -> Kubectl:
    return Kubectl()


@pytest.fixture
def through(site, tmp_path):
    """``through(server, *options)``: a kubeconfig for a server whose user is kraut-credential."""

    def make(server, *options, told=None):
        ca = base64.b64encode(site.cluster_ca.read_bytes()).decode()
        cluster = {"server": server.url, "certificate-authority-data": ca}
        if told:
            extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": told}}
            cluster["extensions"] = [extension]
        run = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "interactiveMode": "Never",
            "provideClusterInfo": True,
            "command": sys.executable,
            "args": ["-m", "kraut_cli.credential", *map(str, options)],
        }
        document = {
            "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"exec": run}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        config = tmp_path / f"{len(list(tmp_path.iterdir()))}.kubeconfig"
        config.write_text(json.dumps(document))
        return config

    return make
