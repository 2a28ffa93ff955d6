"""Doubles for tests of the worker and of what builds on it; typed, and checked against the real thing in this package's tests.

``ScriptedShell`` answers facts by name and everything else in order, and refuses what it was not told: a test that asks for
more than it scripted fails. ``load_transcripts`` reads what real hosts said.
"""

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kraut_core.errors import KrautError
from kraut_worker.facts.fact import Answer, Fact, FactProblem
from kraut_worker.ports import MAX_OUTPUT_BYTES, CommandResult, HostTarget, Shell

_FRAME = re.compile(r"^begin (\w+)$", re.MULTILINE)
_MARKER = re.compile(r"%s begin %s\\n' ([0-9a-f]{32}) ")

Reply = CommandResult | KrautError
"""What a scripted command gives: how it ended, or the error that kept it from being known."""


class UnscriptedError(AssertionError):
    """The code under test asked the double for what the test did not script."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What one fact's command said on one machine, and what the fact is. ``meta`` names the command and the machine."""

    fact: str
    case: str
    answer: Answer
    expected: Any
    meta: Mapping[str, Any]


def load_transcripts(root: Path) -> list[Transcript]:
    """All transcripts under ``root``: ``<fact>/<case>/{output,stderr?,expected.json,meta.json}``, sorted by path."""
    return [_load_transcript(folder.parent) for folder in sorted(root.glob("*/*/meta.json"))]


def _load_transcript(folder: Path) -> Transcript:
    meta = json.loads((folder / "meta.json").read_text())
    stderr = folder / "stderr"
    return Transcript(
        fact=folder.parent.name,
        case=folder.name,
        answer=Answer(
            exit_status=meta["exitStatus"],
            stdout=_read(folder / "output"),
            stderr=_read(stderr) if stderr.exists() else "",
        ),
        expected=json.loads((folder / "expected.json").read_text()),
        meta=meta,
    )


def read_as_json(fact: Fact[Any], answer: Answer) -> Any:
    """What the fact's parser makes of an answer, as expected.json holds it; a FactProblem is its reason and message."""
    try:
        value = fact.parse(answer)
    except FactProblem as problem:
        return {"problem": problem.reason, "message": problem.message}
    return json.loads(json.dumps(asdict(value), default=_plain))


def _plain(value: datetime | bytes) -> str:
    return value.isoformat() if isinstance(value, datetime) else value.decode("utf-8", "replace")


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


class ScriptedShell:
    """A Shell without a host. ``scripts`` are those that were run, in order.

    ``facts`` answers ``gather_facts`` by the name of the fact; ``replies`` are given, in order, to every other script.
    """

    def __init__(
        self,
        *,
        facts: Mapping[str, Answer] | None = None,
        replies: Iterable[Reply] = (),
        host_key: str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        machine_id: str = "0123456789abcdef0123456789abcdef",
    ) -> None:
        self._facts = facts
        self._replies = list(replies)
        self._host_key = host_key
        self._machine_id = machine_id
        self.scripts: list[str] = []

    @property
    def host_key(self) -> str:
        return self._host_key

    @property
    def machine_id(self) -> str:
        return self._machine_id

    async def run(self, script: str, *, timeout_seconds: float, max_output: int = MAX_OUTPUT_BYTES) -> CommandResult:
        """The framed answers of the scripted facts, or the next reply."""
        if timeout_seconds <= 0:
            raise UnscriptedError(f"a command needs time to run, got {timeout_seconds} s")
        self.scripts.append(script)
        result = self._answer_facts(script) or self._next_reply(script)
        if max(len(result.stdout), len(result.stderr)) <= max_output:
            return result
        return CommandResult(result.exit_status, result.stdout[:max_output], result.stderr[:max_output], truncated=True)

    def _answer_facts(self, script: str) -> CommandResult | None:
        marker = _MARKER.search(script)
        if marker is None or self._facts is None:
            return None
        asked = _FRAME.findall(script)
        missing = [name for name in asked if name not in self._facts]
        if missing:
            raise UnscriptedError(f"no answer was scripted for the facts {', '.join(missing)}")
        answers = {name: self._facts[name] for name in asked}
        return CommandResult(
            exit_status=0,
            stdout=_framed(marker[1], {name: (answer.stdout, answer.exit_status) for name, answer in answers.items()}),
            stderr=_framed(marker[1], {name: (answer.stderr, answer.exit_status) for name, answer in answers.items()}),
        )

    def _next_reply(self, script: str) -> CommandResult:
        if not self._replies:
            raise UnscriptedError(f"no reply is left for the script {script[:200]!r}")
        reply = self._replies.pop(0)
        if isinstance(reply, KrautError):
            raise reply
        return reply


def _framed(marker: str, streams: Mapping[str, tuple[str, int]]) -> bytes:
    frames = (
        f"\n{marker} begin {name}\n{text}\n{marker} end {name} {status}\n" for name, (text, status) in streams.items()
    )
    return "".join(frames).encode()


class ScriptedConnector:
    """A HostConnector without a network: one shell, or one error, per address."""

    def __init__(self, hosts: Mapping[str, Shell | KrautError]) -> None:
        self._hosts = dict(hosts)
        self.targets: list[HostTarget] = []

    @asynccontextmanager
    async def connect(self, target: HostTarget) -> AsyncIterator[Shell]:
        """The shell of the target's address; its error is raised."""
        self.targets.append(target)
        host = self._hosts.get(target.address)
        if host is None:
            raise UnscriptedError(f"no host was scripted for the address {target.address}")
        if isinstance(host, KrautError):
            raise host
        yield host

    async def learn_host_key(self, target: HostTarget) -> str:
        """The key that the shell of the target's address shows."""
        async with self.connect(target) as shell:
            return shell.host_key
