"""What `kraut host test` says about a host (pure): problems first, then what holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kraut_cli.formats.age import human_duration
from kraut_cli.formats.escape import escape
from kraut_core.api.conditions import READY, RECONCILING, STALLED, find, is_true
from kraut_core.api.meta import Condition
from kraut_core.api.v1alpha1.host import UP_TO_DATE, Host, HostStatus

UNKNOWN: Final = "not known yet"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that must hold; ``reasons``: those of Ready that say it does not."""

    label: str
    holds: str
    reasons: frozenset[str]


_STEPS: Final = (
    Step(
        "reachable",
        "answers",
        frozenset(
            {
                "CommandTimeout",
                "ConnectionDropped",
                "ConnectionLost",
                "ConnectionRefused",
                "ConnectionTimeout",
                "JumpHostFailed",
                "LoginTimeout",
                "NameNotResolved",
                "SessionRefused",
                "SiteNotServed",
                "SshProtocolError",
                "Unreachable",
            }
        ),
    ),
    Step("host key", "is the pinned one", frozenset({"HostKeyInvalid", "HostKeyMismatch", "HostKeyMissing"})),
    Step(
        "log in",
        "works",
        frozenset(
            {
                "AccountExpired",
                "AuthenticationFailed",
                "CredentialsMissing",
                "HostNotReady",
                "PassphraseMissing",
                "PassphraseWrong",
                "PrivateKeyInvalid",
                "SecretForbidden",
                "SecretIncomplete",
                "SecretInvalid",
                "SecretNotFound",
            }
        ),
    ),
    Step("root", "can be had", frozenset({"ShellUnusable", "SudoMissing", "SudoNotAllowed", "SudoPasswordRequired"})),
    Step("machine", "is the same as before", frozenset({"MachineIDMissing", "MachineIdentityChanged"})),
)
"""In the order in which it is found out: the first that does not hold leaves the later ones unknown."""

FOUND_AT_HOME: Final = frozenset(
    {
        "CredentialsMissing",
        "HostKeyInvalid",
        "HostKeyMissing",
        "PassphraseMissing",
        "PassphraseWrong",
        "PrivateKeyInvalid",
        "SecretForbidden",
        "SecretIncomplete",
        "SecretInvalid",
        "SecretNotFound",
    }
)
"""Found out before the host is asked anything: they leave the earlier steps unknown too."""


@dataclass(frozen=True, slots=True)
class Report:
    """``problems``: sentences; ``facts``: label and value; ``fine``: whether kraut can manage the host."""

    title: str
    fine: bool
    problems: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


def report_on(host: Host, now: datetime) -> Report:
    """The report on a host whose status was just written."""
    status = host.status or HostStatus()
    problems = tuple(_problems(status))
    fine = is_true(status.conditions, READY) and not is_true(status.conditions, STALLED)
    address = f"[{host.spec.address}]" if ":" in host.spec.address else host.spec.address
    state = "kraut can manage it" if fine else "kraut cannot manage it"
    return Report(
        title=f"{host.metadata.name} ({host.spec.user}@{address}:{host.spec.port}): {state}",
        fine=fine,
        problems=problems,
        facts=(*_connection(status), *_system(status), *_packages(host, status, now), *_work(status, now)),
    )


def _problems(status: HostStatus) -> Iterator[str]:
    ready, stalled = find(status.conditions, READY), find(status.conditions, STALLED)
    if ready is None or ready.status != "True":
        yield _said(ready) if ready else "kraut has not looked at it"
    if stalled is not None and (ready is None or stalled.reason != ready.reason):
        yield _said(stalled)
    if status.packages is not None and status.packages.broken:
        yield "the package database needs repair (dpkg --audit); kraut repairs it before its next update"
    up_to_date = find(status.conditions, UP_TO_DATE)
    if up_to_date is not None and up_to_date.status == "Unknown" and ready is not None and ready.status == "True":
        yield _said(up_to_date)


def _said(condition: Condition) -> str:
    return f"{condition.reason}: {condition.message}"


def _connection(status: HostStatus) -> Iterator[tuple[str, str]]:
    ready = find(status.conditions, READY)
    if ready is None:
        return
    reached = _holding(ready)
    for position, step in enumerate(_STEPS):
        if position < reached and ready.reason not in FOUND_AT_HOME:
            yield step.label, step.holds
        else:
            yield step.label, "NO" if ready.reason in step.reasons else UNKNOWN


def _holding(ready: Condition) -> int:
    """How many steps hold; a reason that belongs to none of them says nothing about any."""
    if ready.status == "True":
        return len(_STEPS)
    return next((position for position, step in enumerate(_STEPS) if ready.reason in step.reasons), 0)


def _system(status: HostStatus) -> Iterator[tuple[str, str]]:
    info = status.host_info
    if info is None:
        return
    yield "system", ", ".join(part for part in (info.os_image, info.kernel_version, info.architecture) if part)
    if status.capacity is not None:
        memory, disk = status.capacity.memory_bytes / 2**30, status.capacity.disk_bytes / 2**30
        yield "capacity", f"{status.capacity.cpu} CPUs, {memory:.1f} GiB memory, {disk:.1f} GiB disk"


def _packages(host: Host, status: HostStatus, now: datetime) -> Iterator[tuple[str, str]]:
    packages = status.packages
    if packages is not None:
        refreshed = packages.lists_refreshed_at
        yield "package lists", f"fetched {human_duration(now - refreshed)} ago" if refreshed else "never fetched"
        policy = host.spec.operating_system.updates
        yield "updates", f"{packages.pending} pending, {packages.security} of them security (policy: {policy})"
        if packages.held:
            yield "held packages", ", ".join(packages.held)
    if status.reboot_required is not None:
        by = f" by {', '.join(status.reboot_required_by)}" if status.reboot_required_by else ""
        yield "reboot", f"required{by}" if status.reboot_required else "not required"


def _work(status: HostStatus, now: datetime) -> Iterator[tuple[str, str]]:
    if status.claimed_by is not None:
        yield "claimed by", f"Cluster {status.claimed_by.name}"
    reconciling = find(status.conditions, RECONCILING)
    if reconciling is not None:
        yield "now", _said(reconciling)
    if status.operations:
        last = status.operations[0]
        yield (
            "last operation",
            f"{last.type}, {last.result.lower()}, started {human_duration(now - last.start_time)} ago",
        )
    if status.workflow_id:
        yield "workflow", status.workflow_id


def render(report: Report) -> str:
    """The report as text."""
    width = max((len(label) for label, _ in report.facts), default=0)
    problems = [f"  ! {escape(problem)}" for problem in report.problems]
    facts = [f"  {label.ljust(width)}  {value}" for label, value in report.facts]
    return "\n".join([report.title, *problems, *([""] if problems and facts else []), *map(escape, facts)]) + "\n"
