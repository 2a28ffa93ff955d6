"""A cluster without nodes: etcd, kube-apiserver, kube-controller-manager; RBAC on, one identity per component."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kraut_lab.assets import Binaries, etcd_program, kubernetes_program
from kraut_lab.controlplane import client, flags, manifests
from kraut_lab.controlplane.credentials import Credentials, prepare_credentials
from kraut_lab.controlplane.flags import Ports
from kraut_lab.controlplane.kubeconfig import write_certificate_kubeconfig, write_token_kubeconfig
from kraut_lab.daemon import Daemon
from kraut_lab.hostnames import plain
from kraut_lab.pki import KeyPair
from kraut_lab.ports import recorded_ports, replace_taken_ports
from kraut_lab.processes import kill_all
from kraut_lab.progress import Progress, silent

_TOKEN_SECONDS = 30 * 24 * 3600


class ControlPlane:
    """The control plane whose state is in a folder; every method works on what an earlier process left there."""

    def __init__(
        self,
        folder: Path,
        *,
        minor: str | None = None,
        binaries: Binaries | None = None,
        progress: Progress = silent,
        apiserver_flags: Mapping[str, str] | None = None,
        wrap: Callable[[Sequence[str]], list[str]] = plain,
    ) -> None:
        """Args:
        folder: the lab's folder.
        minor: a pinned Kubernetes minor such as ``v1.37``; default: the newest.
        apiserver_flags: more flags of kube-apiserver, without leading dashes, e.g. ``{"audit-log-path": "-"}``.
        wrap: makes a command line with which kube-apiserver and kraut's processes start, e.g. `HostNames.wrap`.
        """
        self.folder = folder
        self.etcd = Daemon(folder, "etcd")
        self.apiserver = Daemon(folder, "kube-apiserver")
        self.controller_manager = Daemon(folder, "kube-controller-manager")
        self._minor = minor
        self._binaries = binaries or Binaries(progress=progress)
        self._progress = progress
        self._apiserver_flags = dict(apiserver_flags or {})
        self.wrap = wrap

    @property
    def daemons(self) -> tuple[Daemon, Daemon, Daemon]:
        """The three processes, in the order of their start."""
        return self.etcd, self.apiserver, self.controller_manager

    def is_ready(self) -> bool:
        """Whether all three run and answer."""
        return all(daemon.is_running() for daemon in self.daemons) and self.admin.is_ready() and self._manager_ready()

    @property
    def url(self) -> str:
        """The API server's address, ``https://127.0.0.1:<port>``."""
        return f"https://127.0.0.1:{self.ports.apiserver}"

    @property
    def ca(self) -> Path:
        """PEM file of the authority that signed the API server's certificate."""
        return self._credentials.ca.certificate

    @property
    def version(self) -> str:
        """Of Kubernetes, e.g. ``v1.37.2``."""
        return kubernetes_program("kube-apiserver", self._minor).version

    @property
    def ports(self) -> Ports:
        """The ports of this control plane, chosen at its first start and kept."""
        return Ports(**recorded_ports(self._ports_file, Ports))

    @property
    def admin(self) -> client.AdminClient:
        """The lab's own client, as administrator."""
        return client.AdminClient(self.ports.apiserver, ca=self.ca, pair=self._credentials.admin)

    def kubeconfig(self, identity: str = "admin") -> Path:
        """The kubeconfig of the person (``admin``) or of a component, which is no administrator."""
        return self.folder / "kubeconfigs" / f"{identity}.kubeconfig"

    @property
    def etcd_access(self) -> tuple[Path, KeyPair, int]:
        """How to talk to etcd itself: its authority's certificate, a client's key pair, the port on loopback."""
        return self._credentials.etcd_ca.certificate, self._credentials.etcd_client, self.ports.etcd_client

    def start(self) -> None:
        """Start what does not run yet, wait until all is ready, apply kraut's CRDs and RBAC.

        Raises:
            PartFailedError: a process ended; the message carries the end of its log.
            LabError: it is not ready in time.
        """
        programs = [kubernetes_program(daemon.name, self._minor) for daemon in self.daemons[1:]]
        etcd, apiserver, manager = (str(self._binaries.path(program)) for program in (etcd_program(), *programs))
        if not any(daemon.is_running() for daemon in self.daemons):
            replace_taken_ports(self._ports_file)
        credentials, ports = self._credentials, self.ports
        self._progress("starting etcd, kube-apiserver and kube-controller-manager")
        self._write_certificate_kubeconfigs()
        self.etcd.start([etcd, *flags.etcd_flags(self.folder, ports, credentials)])
        self.apiserver.start(self.wrap([apiserver, *flags.apiserver_flags(ports, credentials, self._apiserver_flags)]))
        manager_flags = flags.controller_manager_flags(ports, credentials, self._manager_kubeconfig)
        # It gives up after 10 s without the roles that kube-apiserver makes while it starts: a slow machine needs longer.
        self.apiserver.wait_ready(self.admin.is_ready, "answers /readyz")
        self.controller_manager.start([manager, *manager_flags])
        self._apply()
        for component in manifests.COMPONENTS:
            self._write_token_kubeconfig(component)
        self.controller_manager.wait_ready(self._manager_ready, "answers /healthz")

    def stop(self) -> None:
        """End the three processes at once; the state stays, and `start` goes on from it."""
        kill_all([daemon.process for daemon in self.daemons if daemon.process])

    def token(self, component: str, *, audience: str | None = None, seconds: int = 3600) -> str:
        """A token of a component's service account, from the TokenRequest API."""
        account = manifests.service_account(component)
        return self.service_account_token(manifests.NAMESPACE, account, audience=audience, seconds=seconds)

    def service_account_token(
        self, namespace: str, account: str, *, audience: str | None = None, seconds: int = 3600
    ) -> str:
        """A token of any service account; ``audience``: default the API server's own."""
        spec: dict[str, Any] = {"expirationSeconds": seconds}
        if audience:
            spec["audiences"] = [audience]
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self.admin.create(path, body)["status"]["token"])

    @cached_property
    def _credentials(self) -> Credentials:
        return prepare_credentials(self.folder / "pki")

    @property
    def _ports_file(self) -> Path:
        return self.folder / "control-plane.json"

    @property
    def _manager_kubeconfig(self) -> Path:
        return self.folder / "kubeconfigs" / "kube-controller-manager.kubeconfig"

    def _manager_ready(self) -> bool:
        pair = self._credentials.admin
        return client.AdminClient(self.ports.controller_manager, ca=self.ca, pair=pair).is_ready("/healthz")

    def _apply(self) -> None:
        documents = [*manifests.base_documents(), *manifests.core_documents()]
        client.apply(self.kubeconfig(), documents)
        crds = [doc["metadata"]["name"] for doc in documents if doc["kind"] == "CustomResourceDefinition"]
        client.wait_established(self.kubeconfig(), crds)

    def _write_certificate_kubeconfigs(self) -> None:
        credentials = self._credentials
        for path, pair in (
            (self.kubeconfig(), credentials.admin),
            (self._manager_kubeconfig, credentials.controller_manager),
        ):
            write_certificate_kubeconfig(path, server=self.url, ca=self.ca, user=path.stem, pair=pair)

    def _write_token_kubeconfig(self, component: str) -> None:
        token = self.token(component, seconds=_TOKEN_SECONDS)
        account = manifests.service_account(component)
        write_token_kubeconfig(
            self.kubeconfig(component),
            server=self.url,
            ca=self.ca,
            user=account,
            token=token,
            namespace=manifests.NAMESPACE,
        )
