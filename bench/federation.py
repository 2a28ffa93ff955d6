"""A cluster whose issuer kraut-oidc-proxy publishes over TLS, and a Dex that exchanges its tokens."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.stage import Stage
from bench.subject import Subject, python
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_lab.dex import Connector, Dex
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import choose_ports


@dataclass(frozen=True, slots=True)
class Federated:
    """What a figure uses of it; ``ca`` signed the certificates of issuer and Dex."""

    server: AnotherApiServer
    dex: Dex
    ca: Path

    def token(self, audience: str) -> str:
        """A token of the service account kraut-worker, for an hour."""
        return self.server.token("kraut-system", "kraut-worker", audience)


@contextmanager
def federated(stage: Stage, *, clients: Sequence[str]) -> Iterator[Federated]:
    """Start all of it; ``clients`` are Dex's, the audiences of its tokens."""
    [port, probe] = choose_ports(2)
    issuer = f"https://localhost:{port}"
    authority = CertificateAuthority(stage.folder / "federation", "federation-ca")
    ca = authority.files.certificate
    server = AnotherApiServer(stage.plane, "east")
    dex = Dex(stage.folder, authority, connectors=[Connector("east", issuer, ca)], clients=clients)
    with ExitStack() as stack:
        stack.callback(server.kill)
        server.start(issuer=issuer)
        kubeconfig = stage.folder / "east-proxy.kubeconfig"
        token = server.token("kraut-system", "kraut-oidc-proxy", issuer)
        identity = {"user": "proxy", "token": token, "namespace": "kraut-system"}
        write_token_kubeconfig(kubeconfig, server=server.url, ca=stage.plane.ca, **identity)
        pair = authority.issue("oidc-proxy", "oidc-proxy", hosts=("localhost",))
        settings = {
            "KRAUT_OIDC_ISSUER": issuer,
            "KRAUT_OIDC_HOST": "127.0.0.1",
            "KRAUT_OIDC_PORT": str(port),
            "KRAUT_PROBE_HOST": "127.0.0.1",
            "KRAUT_PROBE_PORT": str(probe),
            "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
            "KRAUT_TLS_CERT_FILE": str(pair.certificate),
            "KRAUT_TLS_KEY_FILE": str(pair.key),
        }
        stack.enter_context(Subject(python("kraut_oidc_proxy"), settings, probe_port=probe)).wait_ready()
        stack.callback(dex.stop)
        dex.start()
        yield Federated(server, dex, ca)
