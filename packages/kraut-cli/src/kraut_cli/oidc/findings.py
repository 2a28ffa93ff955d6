"""What a check found, and how it is shown (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from kraut_cli.formats.escape import escape

Level = Literal["ok", "warning", "problem", "unknown"]
FORGED: Final = "forged"
"""How the names of checks with forged tokens begin."""
_MARKS: Final = {"ok": "ok", "warning": "WARN", "problem": "FAIL", "unknown": "-"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``advice``: what to do, empty when nothing is to be done; ``unknown``: it could not be checked."""

    check: str
    level: Level
    message: str
    advice: str = ""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", message)


def warning(check: str, message: str, advice: str) -> Finding:
    """It works, and will not for ever."""
    return Finding(check, "warning", message, advice)


def problem(check: str, message: str, advice: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(check, "problem", message, advice)


def unknown(check: str, message: str, advice: str = "") -> Finding:
    """It could not be checked."""
    return Finding(check, "unknown", message, advice)


def problems(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep it from working."""
    return [finding for finding in findings if finding.level == "problem"]


def render(title: str, findings: Sequence[Finding]) -> str:
    """As text: a line per check, what to do below it."""
    width = max((len(finding.check) for finding in findings), default=0)
    lines = [escape(title)]
    for finding in findings:
        lines.append(f"  {_MARKS[finding.level]:<4}  {finding.check.ljust(width)}  {escape(finding.message)}")
        if finding.advice:
            lines.append(f"  {'':<4}  {'':<{width}}  -> {escape(finding.advice)}")
    return "\n".join(lines) + "\n"


def as_document(issuer: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """For ``-o json`` and ``-o yaml``."""
    return {"issuer": issuer, "findings": [asdict(finding) for finding in findings]}
