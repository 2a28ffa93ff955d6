"""Stay with an operation on a host until its end is known, through every loss of the connection."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import (
    AuthenticationError,
    KrautError,
    NotFoundError,
    SecretError,
    TransientError,
)
from kraut_core.kube.client import KubeClient
from kraut_core.redaction import redact_text
from kraut_worker.activities.operation_logs import OperationLogs
from kraut_worker.activities.targets import read_target
from kraut_worker.messages import OperationOrder, OperationReport, RunOperationInput
from kraut_worker.operations.apt import update_packages
from kraut_worker.operations.protocol import OperationSpec, StartOutcome, poll, start
from kraut_worker.operations.reboot import reboot
from kraut_worker.operations.state import OperationState, State
from kraut_worker.ports import HostConnector, HostTarget, Shell

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0

LOG_TRIES = 3
"""How often the output of an operation that failed is asked for: its end is known, and a host waits for its place."""

NEVER_BEGAN: frozenset[State] = frozenset({"Pending", "Absent"})
NOT_BEGUN = "its unit ended before it began, or its folder is gone: is /var/lib/kraut full, or read-only?"


async def pause(seconds: float) -> None:
    """Let so much time go by."""
    await asyncio.sleep(seconds)


class Sight:
    """When the host last answered a question (a login alone is none): a loss is counted from there, however long the operation ran before.

    ``pause`` is how long to wait before it is asked again: long while it says the same again and again, or nothing; short when it
    answers after a loss. ``log_tries`` counts how often its output was asked for.
    """

    def __init__(self) -> None:
        self._contact = time.monotonic()
        self._lost = True
        self.pause = FIRST_PAUSE_SECONDS
        self.log_tries = 0

    @property
    def lost_seconds(self) -> float:
        """Since its last answer, or since the beginning."""
        return time.monotonic() - self._contact

    def renew(self) -> None:
        """It answered just now."""
        self._contact = time.monotonic()
        if self._lost:
            self._lost, self.pause = False, FIRST_PAUSE_SECONDS

    def lose(self) -> None:
        """It did not answer just now."""
        self._lost = True

    async def rest(self) -> None:
        """Wait before it is asked again."""
        await pause(self.pause)
        self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)


class HostOperator:
    """Runs operations; one per process."""

    def __init__(self, kube: KubeClient, connector: HostConnector) -> None:
        self._kube = kube
        self._connector = connector
        self._logs = OperationLogs(kube)

    async def run(self, task: RunOperationInput) -> OperationReport:
        """Start the operation or attach to it, and stay until it ended or the host was away for the order's deadline.

        Of a Host that is being deleted the first loss is enough: its deletion must not wait for a machine that is gone.
        The report only says whether there is something new to see: what became of the operation, the next assessment reads
        from the host itself.
        """
        order = task.order
        began = time.monotonic()
        sight = Sight()
        deleting = False
        while True:
            try:
                host, target = await self._find(task)
                deleting = host.metadata.deletion_timestamp is not None
                async with self._connector.connect(target) as shell:
                    report = await self._stay(shell, host, task, sight, known=target.secrets)
                if report is not None:
                    return report
                if time.monotonic() - began > order.deadline_seconds:
                    return OperationReport(
                        state="Ended", message="the host was told to reboot and still runs the same boot"
                    )
            except NotFoundError:
                return OperationReport(state="Unknown", message="the Host was deleted")
            except KrautError as error:
                sight.lose()
                given_up = deleting or sight.lost_seconds > order.deadline_seconds
                if given_up or not _may_heal(error, order):
                    return OperationReport(state="Unknown", message=redact_text(error.message))
                log.info("operation out of sight", operation=order.id, host=task.host.name, reason=error.reason)
            await sight.rest()

    async def _find(self, task: RunOperationInput) -> tuple[Host, HostTarget]:
        host = await self._read(task)
        target, problem = await read_target(self._kube, host)
        if target is None:
            raise SecretError(problem.message if problem else "no credentials")
        return host, target

    async def _read(self, task: RunOperationInput) -> Host:
        """The Host that the operation was decided for. Raises NotFoundError, also for another one of its name."""
        host = await self._kube.get(Host, task.host.namespace, task.host.name)
        if task.order.host_uid not in ("", host.metadata.uid):
            raise NotFoundError(f"Host {task.host.name} was deleted and created again")
        return host

    async def _may_start(self, task: RunOperationInput) -> bool:
        """Asked after the login, which may have taken long: nothing is started on a host that nobody manages any more.

        A worker that stands still between this and the start comes too late: the host itself then knows that it was let go.
        By now no updates are wished for: one that runs on the host is attended to its end, one that did not begin does not.
        """
        order = task.order
        if order.type != "Reboot" and order.updates == "None":
            return False
        return (await self._read(task)).metadata.deletion_timestamp is None

    async def _stay(
        self, shell: Shell, host: Host, task: RunOperationInput, sight: Sight, *, known: Sequence[str]
    ) -> OperationReport | None:
        """None: the host still runs the boot that the operation is to end; look again."""
        order = task.order
        if await self._may_start(task):
            outcome = await start(shell, _spec(order))
            sight.renew()
            if order.type == "Reboot":
                return await self._await_reboot(shell, order, outcome)
            if not outcome.attachable:
                return OperationReport(state="Refused", message=_refusal(outcome))
        state = OperationState(state="Running")
        while not state.ended:
            # Only its end counts here; the output of one that failed is read afterwards, and no more of it than is kept.
            state = await poll(shell, order.id, max_bytes=0)
            sight.renew()
            if state.state in NEVER_BEGAN:
                return OperationReport(state="Refused", message=NOT_BEGUN)
        if state.exit_code != 0 and sight.log_tries < LOG_TRIES:
            sight.log_tries += 1
            await self._logs.keep(shell, host, order.id, known=known)
        return OperationReport(state="Ended")

    async def _await_reboot(self, shell: Shell, order: OperationOrder, outcome: StartOutcome) -> OperationReport | None:
        if outcome.result == "RefusedBootID":
            return OperationReport(state="Ended", message="the host runs another boot")
        if not outcome.attachable:
            return OperationReport(state="Refused", message=_refusal(outcome))
        state = await poll(shell, order.id, wait_seconds=2)
        if (
            state.current_boot_id != order.boot_id
            or state.state == "Lost"
            or (state.state == "Done" and state.exit_code)
        ):
            return OperationReport(state="Ended")
        if state.state in NEVER_BEGAN:
            return OperationReport(state="Refused", message=NOT_BEGUN)
        return None


def _spec(order: OperationOrder) -> OperationSpec:
    if order.type == "Reboot":
        script = reboot()
    elif order.updates == "None":
        raise ValueError(f"operation {order.id} is to install updates, and its order says that none are wanted")
    else:
        script = update_packages(order.updates)
    return OperationSpec(
        id=order.id, type=order.type, fencing_token=order.fencing_token, boot_id=order.boot_id, script=script
    )


def _may_heal(error: KrautError, order: OperationOrder) -> bool:
    """Loss of sight; while a host reboots, pam_nologin(8) refuses logins as if the credentials were wrong."""
    return isinstance(error, TransientError) or (order.type == "Reboot" and isinstance(error, AuthenticationError))


def _refusal(outcome: StartOutcome) -> str:
    match outcome.result:
        case "RefusedToken":
            return f"the host has seen the fencing token {outcome.token}: this decision is outdated"
        case "RefusedBootID":
            return f"the host runs boot {outcome.boot_id}, another one than the decision was made in"
        case "Busy":
            return f"operation {outcome.other_id} runs on the host"
        case _:
            return redact_text(outcome.message or outcome.result)
