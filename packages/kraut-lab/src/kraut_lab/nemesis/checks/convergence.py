"""I1: when all is healed, all converges. I2: the last generation wins."""

from __future__ import annotations

from collections.abc import Iterator

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import Event, History


def check_convergence(history: History) -> list[Violation]:
    """The state of every machine, its Host and the policy at the end."""
    finals = {event["host"]: event for event in history.of("final")}
    found = [
        Violation(invariant, f"{host}: {problem}")
        for host, event in finals.items()
        for invariant, problem in problems(event)
    ]
    found += [
        Violation("I1", f"{host} was not looked at in the end") for host in history.run["hosts"] if host not in finals
    ]
    for event in history.of("final-policy"):
        if held := places_held(event["object"]):
            found.append(Violation("I1", f"the policy still holds places for {held}"))
    return found


def places_held(policy: Event) -> list[str]:
    """Names of the hosts that hold a place in the budget of an UpgradePolicy."""
    return [place["name"] for place in (policy.get("status") or {}).get("reservations") or []]


def problems(final: Event) -> Iterator[tuple[str, str]]:
    """What is not yet, or not at all, as it should be of one machine: (invariant, sentence)."""
    host = final["object"]
    if host is None:
        yield "I1", "there is no Host"
        return
    status = host.get("status") or {}
    generation, observed = host["metadata"]["generation"], status.get("observedGeneration")
    if observed != generation:
        yield "I2", f"generation {generation} is not answered, the status is of {observed}"
    asked = (host["metadata"].get("annotations") or {}).get("kraut.dev/requested-at", "")
    if asked and status.get("lastHandledRequest") != asked:
        yield "I2", f"the request {asked} is not answered, the last one is {status.get('lastHandledRequest')}"
    yield from (("I1", problem) for problem in (*_conditions(status), *_machine(final, status)))


def _conditions(status: Event) -> Iterator[str]:
    said = {c["type"]: c for c in status.get("conditions", [])}
    for type_ in ("Ready", "UpToDate"):
        if said.get(type_, {}).get("status") != "True":
            yield f"it should be {type_}, it says {said.get(type_)}"
    for type_ in ("Reconciling", "Stalled"):
        if type_ in said:
            yield f"it should not be {type_}, it says {said[type_]}"
    running = [operation["id"] for operation in status.get("operations", []) if operation["result"] == "Running"]
    if running:
        yield f"operations {running} are said to run"


def _machine(final: Event, status: Event) -> Iterator[str]:
    expected = {name: f"{version} installed" for name, version in final["published"].items()}
    if final["installed"] != expected:
        yield f"packages: expected {expected}, found {final['installed']}"
    boot = (status.get("hostInfo") or {}).get("bootID")
    if boot != final.get("boot"):
        yield f"the status names the boot {boot}, the machine runs {final.get('boot')}"
    for name, wanted in (
        ("broken", "0"),
        ("rebootRequired", "0"),
        ("units", "0"),
        ("lock", "free"),
        ("start.lock", "free"),
    ):
        if final.get(name) != wanted:
            yield f"{name} should be {wanted} on the machine, it is {final.get(name)}"
