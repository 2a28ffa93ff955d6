"""A lane: one host with an operator and a worker of its own, which see nothing of other lanes."""

from __future__ import annotations

import base64
from typing import Any, Final

from kraut_core.testing.crossings import CrashPlan
from kraut_lab.components import Component
from kraut_lab.hosts import LabHost
from kraut_lab.lab import Lab, in_parallel
from kraut_lab.names import check_name

API: Final = "/apis/kraut.dev/v1alpha1/namespaces/{namespace}"
PERSON: Final = "person"
SECRET: Final = "ssh"  # noqa: S105 (the name of a Secret)
POLICY: Final = "one-at-a-time"
A_DAY: Final = "86400"


class Lane:
    """Its home id and its namespace are ``name`` and a number; its processes are restarted whenever they end."""

    def __init__(self, lab: Lab, host: LabHost, name: str, *, split: bool = False) -> None:
        """Args: split: activities on the host have a process of their own, and it is this one that is killed."""
        self.name = check_name(name)
        self.host = host
        self._lab = lab
        self._split = split
        self._api = lab.control_plane.admin
        self._life = 1
        self._folder = lab.folder / "crashes" / name
        self._operator = lab.component("operator", instance=name)
        self._worker = lab.component("worker", instance=name)
        self._workflows = lab.component("worker", instance=f"{name}-workflows")

    @property
    def components(self) -> list[Component]:
        """Its processes."""
        return [self._operator, self._worker, *([self._workflows] if self._split else [])]

    def start(self) -> None:
        """Make the namespace and what Hosts of it refer to, and start the processes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._api.create("/api/v1/namespaces", {"metadata": {"name": self.home}})
        key = base64.b64encode(self._lab.ssh.private_key.read_bytes()).decode()
        self._create(f"/api/v1/namespaces/{self.home}/secrets", SECRET, {"data": {"ssh-privatekey": key}})
        spec = {"rollingUpdate": {"maxUnavailable": 1}, "minReadySeconds": 0}
        policy = {"apiVersion": "kraut.dev/v1alpha1", "kind": "UpgradePolicy", "spec": spec}
        self._create(f"{self._kraut}/upgradepolicies", POLICY, policy)
        in_parallel([self._start_operator, self._start_worker, *([self._start_workflows] if self._split else [])])

    def stop(self) -> None:
        """End the processes and give the namespace up."""
        in_parallel([lambda component=component: component.stop(grace=0) for component in self.components])  # type: ignore[misc]
        self._api.delete(f"/api/v1/namespaces/{self.home}")

    def renew(self) -> None:
        """Start over in another namespace and under another home id: what went wrong before stays behind."""
        self.stop()
        self._life += 1
        self.start()

    @property
    def home(self) -> str:
        """Its home id and namespace."""
        return f"{self.name}-{self._life}"

    def wait_ready(self) -> None:
        """Wait until all processes run and are ready, also after one was killed."""
        for component in self.components:
            component.wait_ready()

    def plan(self, target: str, at: str = "") -> CrashPlan:
        """From now on the crossings of ``target`` count, and the fault is due at the one named ``at``."""
        files = {part: str(self._folder / f"{target}.{part}") for part in ("log", "marker")}
        plan = CrashPlan(target=target, at=at, **files)
        plan.write(self._folder / "plan.json")
        return plan

    def apply(self, name: str, *, updates: str) -> None:
        """Apply the lane's host as a person would."""
        spec = {
            "address": self.host.address,
            "port": self.host.port,
            "user": self.host.user,
            "hostKeys": [self.host.host_key],
            "credentialsRef": {"name": SECRET},
            "upgradePolicyRef": {"name": POLICY},
            "operatingSystem": {"updates": updates},
        }
        body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "metadata": {"name": name}, "spec": spec}
        self._api.apply_as(PERSON, f"{self._kraut}/hosts/{name}", body)

    def read(self, name: str) -> dict[str, Any] | None:
        """The Host; None when there is none."""
        found: dict[str, Any] | None = self._api.get(f"{self._kraut}/hosts/{name}")
        return found

    def delete(self, name: str) -> None:
        """Ask for the end of the Host."""
        self._api.delete(f"{self._kraut}/hosts/{name}")

    def policy(self) -> dict[str, Any]:
        """The UpgradePolicy of the lane."""
        found: dict[str, Any] = self._api.get(f"{self._kraut}/upgradepolicies/{POLICY}")
        return found

    def workflow(self, name: str) -> dict[str, Any]:
        """What Temporal says of the Host's workflow (DescribeWorkflowExecution as JSON); empty when there is none."""
        return self._lab.temporal.describe_workflow(f"{self.home}/Host/{self.home}/{name}")

    @property
    def _kraut(self) -> str:
        return API.format(namespace=self.home)

    def _create(self, path: str, name: str, body: dict[str, Any]) -> None:
        self._api.create(path, {**body, "metadata": {"name": name}})

    def _arguments(self, component: str) -> list[str]:
        return ["-m", f"kraut_{component}.testing.crash_points", str(self._folder / "plan.json")]

    def _start_operator(self) -> None:
        env = {
            "KRAUT_HOME_ID": self.home,
            "KRAUT_OPERATOR_NAMESPACES": self.home,
            "KRAUT_OPERATOR_LEADER_ELECTION": "false",
        }
        self._operator.start(restart=True, env=env, arguments=self._arguments("operator"))

    def _start_worker(self) -> None:
        env = {"KRAUT_HOME_ID": self.home, "KRAUT_WORKER_SWEEP_INTERVAL_SECONDS": A_DAY}
        if self._split:
            env["KRAUT_WORKER_ROLES"] = "ssh"
        self._worker.start(restart=True, env=env, arguments=self._arguments("worker"))

    def _start_workflows(self) -> None:
        env = {"KRAUT_HOME_ID": self.home, "KRAUT_WORKER_SWEEP_INTERVAL_SECONDS": A_DAY}
        self._workflows.start(restart=True, env={**env, "KRAUT_WORKER_ROLES": "workflows,kubernetes"})
