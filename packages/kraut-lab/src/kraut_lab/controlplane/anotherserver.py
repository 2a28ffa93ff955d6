"""Another kube-apiserver on a control plane's etcd, as where several control-plane nodes run: with keys and an issuer of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kraut_lab.assets import Binaries, kubernetes_program
from kraut_lab.controlplane import flags
from kraut_lab.controlplane.client import AdminClient
from kraut_lab.controlplane.controlplane import ControlPlane
from kraut_lab.controlplane.credentials import prepare_credentials
from kraut_lab.daemon import Daemon
from kraut_lab.ports import choose_ports


class AnotherApiServer:
    """A kube-apiserver beside the control plane's own; same objects, same authority, another port."""

    def __init__(self, control_plane: ControlPlane, name: str, *, binaries: Binaries | None = None) -> None:
        """Args: name: distinguishes several of them in one lab."""
        self._plane = control_plane
        self._credentials = prepare_credentials(control_plane.folder / "pki")
        [self._port] = choose_ports(1)
        self._daemon = Daemon(control_plane.folder, f"kube-apiserver-{name}")
        self._binaries = binaries or Binaries()
        self.url = f"https://127.0.0.1:{self._port}"
        """Its address."""
        self.admin = AdminClient(self._port, ca=control_plane.ca, pair=self._credentials.admin)
        """A client with the administrator's certificate."""

    def start(
        self,
        *,
        issuer: str | None = None,
        accepts: Sequence[Path] | None = None,
        signs: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Start it and wait until it is ready.

        Args:
            issuer: of service account tokens; default: the control plane's.
            accepts: public keys of service account tokens, which it publishes; default: the control plane's.
            signs: private key that signs them; default: the control plane's.
            more: further flags, without leading dashes.

        Raises:
            PartFailedError: it ended, or is not ready in time.
        """
        issuer = issuer or self._plane.url
        keys = self._plane.folder / "pki" / f"{self._daemon.name}.pub"
        # One file with several keys, since the flag can be given only once here.
        keys.write_text("".join(file.read_text() for file in accepts or [self._credentials.service_account_public_key]))
        extra = {
            "service-account-issuer": issuer,
            "service-account-jwks-uri": f"{issuer}/openid/v1/jwks",
            "service-account-key-file": str(keys),
            "service-account-signing-key-file": str(signs or self._credentials.service_account_key),
            # The default audiences follow the issuer; the control plane's tokens must go on working here.
            "api-audiences": f"{self._plane.url},{issuer}",
        }
        ports = replace(self._plane.ports, apiserver=self._port)
        argv = flags.apiserver_flags(ports, self._credentials, {**extra, **(more or {})})
        program = self._binaries.path(kubernetes_program("kube-apiserver"))
        self._daemon.start([str(program), *argv])
        self._daemon.wait_ready(self.admin.is_ready, "answers /readyz")

    def kill(self) -> None:
        """End it at once."""
        self._daemon.kill()

    def token(self, namespace: str, account: str, audience: str, *, seconds: int = 3600) -> str:
        """A service account's token that this server signed."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": seconds}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self.admin.create(path, body)["status"]["token"])
