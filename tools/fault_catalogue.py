"""The faults that hosts under management must survive, row by row, and what must hold under each.

A test says which of them it shows: ``@pytest.mark.fault(row=3, fault="etcd quota exhausted", invariants=("I1", "I2"))``.
Numbers are kept for ever, so that marks and reports go on meaning the same; ``ABSENT`` says of those without a row why.
"""

from dataclasses import dataclass

INVARIANTS = {
    "I1": "converges after heal",
    "I2": "the last generation wins",
    "I3": "each operation id has at most one effect on a host",
    "I4": "one operation per host",
    "I5": "budgets hold at every instant",
    "I6": "no orphan reservation or cordon",
    "I7": "no secret leaks",
    "I8": "no stuck workflow",
    "I9": "observedGeneration is monotonic",
    "I10": "memory, descriptors, queues and histories are bounded",
    "I11": "deletion completes once",
    "I12": "unknown is never success",
    "U10": "a reboot succeeded only if the boot id changed",
    "U14": "a worker killed at any step: no second node disrupted, no step repeated, the run completes",
    "U15": "loss of SSH or the API is unknown: neither success nor failure, and no new disruption",
    "U16": "host key and machine id are verified on every connection; a mismatch sends no command",
}


@dataclass(frozen=True)
class Row:
    """One row: its faults, and the invariants that must hold under them."""

    number: int
    faults: tuple[str, ...]
    must_hold: tuple[str, ...]


ROWS = (
    Row(1, ("operator SIGKILL at every dispatch boundary",), ("I1", "I2")),
    Row(2, ("operator SIGSTOP past its Lease, then CONT", "Lease deleted", "two leaders"), ("I2", "I3", "I4")),
    Row(3, ("kube-apiserver SIGKILL", "etcd SIGSTOP 10 s", "etcd quota exhausted"), ("I1", "I2")),
    Row(4, ("half-open watch",), ("I1",)),
    Row(
        5,
        (
            "RST in the middle of a JSON line",
            "dropped events",
            "repeated events",
            "410 with deletions missed",
            "stale LIST",
            "stale GET",
            "malformed events",
        ),
        ("I1", "I2", "I9", "I11"),
    ),
    Row(6, ("429", "5xx", "HTML bodies", "401 then healed", "403 then healed"), ("I1",)),
    Row(7, ("conflicting status writer",), ("I9",)),
    Row(8, ("worker SIGKILL at each activity boundary", "worker SIGKILL at each SSH boundary"), ("I3", "I6", "U14")),
    Row(9, ("worker SIGSTOP past its heartbeat, then CONT",), ("I3", "I4")),
    Row(10, ("Temporal SIGKILL", "Temporal partitioned for long", "polls refused"), ("I1", "I3")),
    Row(
        11,
        ("1,000 signals at completion", "1,000 signals at continue-as-new", "cancel racing completion"),
        ("I2", "I8"),
    ),
    Row(
        12,
        (
            "release N, then N+1, then N again, with open runs",
            "an answer that only N+1 knows",
            "a signal that only N+1 knows",
        ),
        ("I8",),
    ),
    Row(13, ("SSH cut before exec", "SSH cut in mid output", "SSH cut after exit before status"), ("I3", "I12")),
    Row(14, ("MaxStartups=2", "accepts TCP and says nothing", "56 kbit/s", "PerSourcePenalties"), ("I1", "I10")),
    Row(15, ("host key changed", "machine id changed"), ("U16",)),
    Row(
        16,
        ("reboot in the middle of dpkg", "host never returns", "reboot accepted and never done"),
        ("I5", "I12", "U15"),
    ),
    Row(
        17, ("apt lock held", "broken dpkg", "ENOSPC", "read-only file system", "the unit cannot begin"), ("I6", "I12")
    ),
    Row(18, ("1 GiB on stdout", "invalid UTF-8", "sudo that prompts"), ("I10", "I12")),
    Row(
        20,
        (
            "object deleted and recreated in mid operation",
            "CRD removed and restored",
            "operator's RBAC removed and restored",
            "worker's RBAC removed and restored",
        ),
        ("I1", "I3", "I11"),
    ),
    Row(21, ("EMFILE", "memory cap"), ("I1", "I10")),
)
"""What a row names, and what must hold under each of its faults: a test asserts it, or it stands in `MEANINGLESS` or `OPEN`."""

Wanted = tuple[int, str, str]
"""A row, a fault and an invariant."""

MEANINGLESS: dict[Wanted, str] = {
    (16, "reboot accepted and never done", "U15"): "the host answers all the time: nothing is unknown",
    (18, "invalid UTF-8", "I10"): "a few bytes: there is nothing to bound",
    (18, "sudo that prompts", "I10"): "it ends at once, with a few bytes: there is nothing to bound",
}
"""What a row wants of all its faults and cannot be asked of this one, and why."""

OPEN: dict[Wanted, str] = {
    (14, "MaxStartups=2", "I10"): "shown for silent and slow hosts only",
    (14, "PerSourcePenalties", "I10"): "shown for silent and slow hosts only",
    (16, "reboot in the middle of dpkg", "I5"): "shown for a host that never returns; in mid dpkg for one host alone",
    (16, "reboot in the middle of dpkg", "U15"): "shown for a host that never returns; in mid dpkg for one host alone",
}
"""What must hold and no test asserts yet."""

ABSENT = {
    19: "drains that a PodDisruptionBudget never allows: kraut does not drain nodes yet",
    22: "a whole cluster that is away while a fleet is upgraded: there are no fleets yet",
    23: "an hour of random faults, then a search for secrets in every byte: not run in one. `make nemesis` does the first, "
    "`tests/lab/test_secrets.py` the second (I7)",
}
"""Numbers that have no row, and why."""
