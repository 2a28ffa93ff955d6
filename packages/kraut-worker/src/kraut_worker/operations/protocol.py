"""The worker's half of the host operation protocol: start, poll, remove."""

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.operations.outcome import OperationSpec, StartOutcome, StartResult
from kraut_worker.operations.polling import parse_poll, poll_script
from kraut_worker.operations.removal import remove_script
from kraut_worker.operations.starting import parse_start, start_script
from kraut_worker.operations.state import OperationState
from kraut_worker.ports import Shell

__all__ = ["OperationSpec", "OperationState", "StartOutcome", "StartResult", "poll", "remove_all", "start"]

_HEADER_BYTES = 4096


async def start(shell: Shell, spec: OperationSpec, *, timeout_seconds: float = 120) -> StartOutcome:
    """Start an operation unless it was started before; safe to repeat, and safe to be cut at any byte.

    Raises UnknownOutcomeError when the answer never arrived: call it again with the same spec.
    """
    return parse_start(await shell.run(start_script(spec), timeout_seconds=timeout_seconds), spec)


async def poll(
    shell: Shell, id_: str, offset: int = 0, *, max_bytes: int = 65536, wait_seconds: float = 20
) -> OperationState:
    """Wait up to ``wait_seconds`` for the end of an operation or for output after ``offset``, and return how it stands.

    Its end is noticed within half a second; ``max_bytes`` bounds the chunk, and with 0 the end alone is waited for. Call again with the returned ``offset``
    until ``drained``. Raises UnknownOutcomeError when the answer never arrived: nothing is known, ask again.
    """
    result = await shell.run(
        poll_script(id_, offset, max_bytes=max_bytes, wait_seconds=wait_seconds),
        timeout_seconds=wait_seconds + 30,
        max_output=max_bytes + _HEADER_BYTES,
    )
    return parse_poll(result, id_, offset)


async def remove_all(shell: Shell, *, fencing_token: int = 0, timeout_seconds: float = 60) -> str:
    """Remove everything kraut left on the host; returns "" when done, or the id of the running operation that forbids it.

    ``fencing_token`` is the greatest that was given out: the host refuses such a one and smaller ones until it boots again, so that
    a start which was decided before, and comes late, starts nothing. Default 0: the greatest that the host has seen.
    Raises UnknownOutcomeError when it cannot be told.
    """
    result = await shell.run(remove_script(fencing_token), timeout_seconds=timeout_seconds)
    answer = result.stdout.decode("utf-8", "replace").strip()
    if answer == "removed":
        return ""
    if answer.startswith("running "):
        return answer.removeprefix("running ")
    said = result.stderr.decode("utf-8", "replace").strip()[-300:]
    raise UnknownOutcomeError(
        f"removing kraut's files ended with exit status {result.exit_status}; the host said {said!r}"
    )
