"""A person at the API server, who tries again for a while when it is away."""

from __future__ import annotations

import base64
import http.client
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from kraut_lab.errors import LabError
from kraut_lab.hosts import LabHost
from kraut_lab.lab import Lab
from kraut_lab.waiting import wait_for

API: Final = "/apis/kraut.dev/v1alpha1/namespaces"
POLICY: Final = "nemesis"
SECRET: Final = "ssh"  # noqa: S105 (the name of a Secret)
PATIENCE_SECONDS: Final = 120.0
REQUESTED_AT: Final = "kraut.dev/requested-at"

T = TypeVar("T")


class Person:
    """What a person wants of the hosts, and does to their objects; threads share one."""

    def __init__(self, lab: Lab, machines: Sequence[LabHost], namespace: str) -> None:
        self.namespace = namespace
        self._lab = lab
        self._machines = {machine.name: machine for machine in machines}
        self._wanted: dict[str, dict[str, Any]] = {machine.name: {} for machine in machines}
        self._requests: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def prepare(self, *, max_unavailable: int) -> None:
        """The namespace, the Secret and the policy that the hosts refer to."""
        key = base64.b64encode(self._lab.ssh.private_key.read_bytes()).decode()
        self._api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        secret = {"metadata": {"name": SECRET}, "data": {"ssh-privatekey": key}}
        self._api.create(f"/api/v1/namespaces/{self.namespace}/secrets", secret)
        spec = {"rollingUpdate": {"maxUnavailable": max_unavailable}, "minReadySeconds": 0}
        policy = {"apiVersion": "kraut.dev/v1alpha1", "kind": "UpgradePolicy", "metadata": {"name": POLICY}}
        self._api.create(f"{self.collection('upgradepolicies')}", {**policy, "spec": spec})

    def collection(self, plural: str) -> str:
        """The path of kraut's objects of a kind."""
        return f"{API}/{self.namespace}/{plural}"

    def apply(self, name: str, **changes: Any) -> None:
        """Apply a Host; ``changes`` to its spec stay until they are changed again."""
        with self._lock:
            wanted = {**self._wanted[name], **changes}
            self._wanted[name] = wanted
            body = self._manifest(name, wanted)
        self._insist(lambda: self._api.apply_as("person", self._path(name), body), f"{name} to be applied")

    def request(self, name: str) -> None:
        """Annotate: look at it now."""
        with self._lock:
            self._requests[name] = f"request-{next(self._numbers)}"
        self.apply(name)

    def recreate(self, name: str) -> None:
        """Delete the Host, wait for its end, and apply it again."""
        self.delete(name)
        self.apply(name)

    def delete(self, name: str) -> None:
        """Delete the Host and wait for its end; another person may make one of the same name meanwhile."""
        deleted: list[str] = []

        def take() -> None:
            answer = self._api.delete(self._path(name)) or {}
            deleted.append(answer.get("metadata", {}).get("uid") or answer.get("details", {}).get("uid", ""))

        self._insist(take, f"the deletion of {name} to be taken")
        self._insist(lambda: self._gone(name, deleted[-1]), f"{name} to be gone")

    def read(self, name: str) -> dict[str, Any] | None:
        """The Host; None when there is none."""
        found: dict[str, Any] | None = self._api.get(self._path(name))
        return found

    def policy(self) -> dict[str, Any]:
        """The UpgradePolicy."""
        found: dict[str, Any] = self._api.get(f"{self.collection('upgradepolicies')}/{POLICY}")
        return found

    def leave(self) -> None:
        """Delete all Hosts, then the namespace."""
        for name in self._machines:
            self.delete(name)
        self._api.delete(f"/api/v1/namespaces/{self.namespace}")

    @property
    def _api(self) -> Any:
        return self._lab.control_plane.admin

    def _gone(self, name: str, uid: str) -> None:
        found = self.read(name)
        if found is not None and found["metadata"]["uid"] == uid:
            raise LabError(f"{name} should be gone, it is still there.")

    def _insist(self, call: Callable[[], T], what: str) -> None:
        def attempt() -> bool | None:
            try:
                call()
            except (OSError, http.client.HTTPException, LabError):
                return None
            return True

        wait_for(attempt, what, timeout=PATIENCE_SECONDS, interval=0.2)

    def _path(self, name: str) -> str:
        return f"{self.collection('hosts')}/{name}"

    def _manifest(self, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        machine = self._machines[name]
        spec = {
            "address": machine.address,
            "port": machine.port,
            "user": machine.user,
            "hostKeys": [machine.host_key],
            "credentialsRef": {"name": SECRET},
            "upgradePolicyRef": {"name": POLICY},
            "paused": wanted.get("paused", False),
            "operatingSystem": {"updates": wanted.get("updates", "All")},
        }
        metadata: dict[str, Any] = {"name": name}
        if name in self._requests:
            metadata["annotations"] = {REQUESTED_AT: self._requests[name]}
        return {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "metadata": metadata, "spec": spec}
