"""A worker's activities at a real kube-apiserver, before hosts that say what real ones once said."""

import itertools
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kraut_core.api.v1alpha1.host import Host
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicy
from kraut_core.errors import ConflictError, ForbiddenError
from kraut_core.kube.client import KubeClient
from kraut_worker.activities.assess import HostAssessor
from kraut_worker.activities.cleanup import FINALIZER
from kraut_worker.activities.places import take_place
from kraut_worker.facts.fact import Answer
from kraut_worker.messages import AssessInput, Assessment, HostName
from kraut_worker.ports import MAX_OUTPUT_BYTES, CommandResult, HostTarget
from kraut_worker.testing import ScriptedConnector, ScriptedShell, load_transcripts

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

_numbers = itertools.count()
FACTS = Path(__file__).parents[1] / "facts"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

REMOVED = CommandResult(0, b"removed\n", b"")


def recorded(distribution: str = "bookworm") -> Mapping[str, Answer]:
    case = f"{distribution}-pending"
    return {found.fact: found.answer for found in load_transcripts(FACTS) if found.case == case}


class InterruptedShell(ScriptedShell):
    """A host with updates to install. ``meanwhile`` happens once, while facts are gathered for the first time."""

    def __init__(self, meanwhile: Callable[[], Awaitable[Any]] | None = None) -> None:
        super().__init__(facts=recorded(), replies=[REMOVED], host_key=KEY)
        self._meanwhile = meanwhile

    async def run(self, script: str, *, timeout_seconds: float, max_output: int = MAX_OUTPUT_BYTES) -> CommandResult:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().run(script, timeout_seconds=timeout_seconds, max_output=max_output)


@dataclass
class Scene:
    """A namespace with Hosts and policies; ``admin`` is a person's client, ``worker`` is kraut-worker's own."""

    admin: KubeClient
    worker: KubeClient
    namespace: str
    woken: list[str] = field(default_factory=list)
    asked: list[HostTarget] = field(default_factory=list)
    """Whom the last assessment connected to."""

    async def policy(self, name: str, **spec: Any) -> None:
        await self._apply("UpgradePolicy", name, spec)

    async def host(self, name: str, address: str = "198.18.0.10", **spec: Any) -> None:
        """A Host with a Secret; what ``spec`` leaves out is forgotten again."""
        secret = {"kind": "Secret", "type": "kubernetes.io/ssh-auth", "stringData": {"ssh-privatekey": "not a key"}}
        await self._create_once("secrets", secret | {"apiVersion": "v1", "metadata": {"name": "web"}})
        fields = {"address": address, "credentialsRef": {"name": "web"}, "hostKeys": [KEY], **spec}
        await self._apply("Host", name, fields)

    async def get_host(self, name: str) -> Host:
        return await self.worker.get(Host, self.namespace, name)

    async def places(self, policy: str) -> dict[str, int]:
        """Who holds a place, by name, and under which fencing token."""
        found = await self.worker.get(UpgradePolicy, self.namespace, policy)
        return {held.name: held.fencing_token for held in (found.status.reservations if found.status else [])}

    def next_release_wrote(self, *names: str) -> None:
        """Objects of kraut's kinds that have a field of the next release from now on: this one's models refuse them."""
        self._through(lambda body: _with_field_of_next_release(body, names), among=("/hosts", "/upgradepolicies"))

    def worker_may_not_read(self, resource: str) -> None:
        """As without the Role for it."""

        def refuse(_: bytes) -> bytes:
            raise ForbiddenError(f'{resource} is forbidden: User "kraut-worker" cannot get it', status=403)

        self._through(refuse, among=(f"/{resource}",))

    def _through(self, change: Callable[[bytes], bytes], *, among: tuple[str, ...]) -> None:
        transport = self.worker.transport
        inner = transport.request

        async def request(method: str, path: str, **options: Any) -> bytes:
            body = await inner(method, path, **options)
            return change(body) if any(part in path for part in among) else body

        transport.request = request  # type: ignore[method-assign]

    async def mark_for_deletion(self, name: str) -> None:
        """Delete a Host that has kraut's finalizer."""
        host = await self.admin.get(Host, self.namespace, name)
        if FINALIZER not in host.metadata.finalizers:
            version = host.metadata.resource_version
            await self.admin.set_finalizers(Host, self.namespace, name, version, [FINALIZER])
        await self.admin.delete(Host, self.namespace, name)

    async def worker_takes_place(self, name: str, *, token: int) -> None:
        """As an assessment does that dies before it writes down the start."""
        assert await take_place(self.worker, await self.get_host(name), datetime.now(UTC), token) is None

    async def assess(
        self,
        name: str,
        meanwhile: Callable[[], Awaitable[Any]] | None = None,
        *,
        operation_id: str = "",
        in_flight: str = "",
    ) -> Assessment:
        """One assessment; ``meanwhile`` happens once it has read the Host."""
        address = (await self.admin.get(Host, self.namespace, name)).spec.address
        connector = ScriptedConnector({address: InterruptedShell(meanwhile)})
        self.asked = connector.targets
        assessor = HostAssessor(
            self.worker, connector, self._wake, instance="tests", package_list_max_age=timedelta(days=36500)
        )
        host = HostName(home="tests", namespace=self.namespace, name=name)
        question = AssessInput(
            host=host, site="default", operation_id=operation_id or str(uuid.uuid4()), in_flight=in_flight
        )
        return await assessor.assess(question, f"tests/{name}")

    async def _wake(self, host: Host) -> None:
        self.woken.append(host.metadata.name)

    async def _apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        metadata = {"name": name, "namespace": self.namespace}
        manifest = {"apiVersion": "kraut.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
        await self.admin.apply(manifest, field_manager="tests", force=True)

    async def _create_once(self, resource: str, body: dict[str, Any]) -> None:
        with suppress(ConflictError):
            await self.admin.post_raw(f"/api/v1/namespaces/{self.namespace}/{resource}", body)


def _with_field_of_next_release(body: bytes, names: tuple[str, ...]) -> bytes:
    answer = json.loads(body)
    for manifest in answer.get("items", [answer]):
        if manifest.get("metadata", {}).get("name") in names:
            manifest["spec"]["drain"] = {"before": "Reboot"}
    return json.dumps(answer).encode()


@pytest.fixture
async def scene(control_plane: "ControlPlane") -> AsyncIterator[Scene]:
    """A namespace of the test's own."""
    name = f"activities-{next(_numbers)}"
    async with AsyncExitStack() as stack:
        admin, worker = [
            await stack.enter_async_context(KubeClient.connect(str(control_plane.kubeconfig(identity))))
            for identity in ("admin", "worker")
        ]
        await admin.post_raw("/api/v1/namespaces", {"metadata": {"name": name}})
        yield Scene(admin, worker, name)
