"""I12: what is unknown is never called a success, nor a failure: the machine itself must have said so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import History


def check_outcomes(history: History) -> list[Violation]:
    """Every operation that any version of any status calls Succeeded or Failed."""
    said: dict[tuple[str, str, str], dict[str, Any]] = {}
    for event in history.of("object"):
        host = event["object"]
        if host["kind"] == "Host":
            for operation in (host.get("status") or {}).get("operations", []):
                said[host["metadata"]["name"], operation["id"], operation["result"]] = operation
    found = []
    for (host, id_, result), operation in said.items():
        problem = _problem(history, host, operation)
        if problem:
            found.append(Violation("I12", f"{host}: {operation['type']} {id_} is called {result}, but {problem}"))
    return found


def _problem(history: History, host: str, operation: dict[str, Any]) -> str:
    result = operation["result"]
    if operation["type"] == "Reboot":
        return _no_reboot(history, host, operation) if result == "Succeeded" else ""
    if result not in ("Succeeded", "Failed"):
        return ""
    codes = {event["exitCode"] for event in history.of("operation", host=host, operation=operation["id"])} - {None}
    if not codes:
        return "the machine never had a result of it"
    if (codes == {0}) != (result == "Succeeded"):
        return f"the machine's result is exit code {sorted(codes)}"
    return ""


def _no_reboot(history: History, host: str, operation: dict[str, Any]) -> str:
    began = datetime.fromisoformat(operation["startTime"]).timestamp()
    later = [event for event in history.of("boot", host=host) if event["t"] >= began]
    if any(event["boot"] != operation.get("bootID") for event in later):
        return ""
    return f"the machine did not boot after {operation['startTime']}"
