"""Watch events are JSON values, one per line; this cuts the byte stream into lines, wherever it was split."""

from kraut_core.errors import ApiServerError

MAX_LINE_BYTES = 16 * 2**20
"""An event holds one object, and etcd refuses objects over 1.5 MiB by default: anything near this is not a watch."""


class LineSplitter:
    """Feed it chunks, it gives back whole lines without their newline; what is left waits for the next chunk."""

    __slots__ = ("_limit", "_parts", "_waiting")

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._parts: list[bytes] = []
        self._waiting = 0
        self._limit = limit

    @property
    def pending(self) -> int:
        """Bytes of an unfinished line."""
        return self._waiting

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` completes, empty ones left out. Raises ApiServerError on a line over the limit."""
        head, newline, rest = chunk.partition(b"\n")
        if not newline:
            self._keep(head)
            return []
        first = b"".join((*self._parts, head))
        self._parts.clear()
        self._waiting = 0
        *lines, tail = rest.split(b"\n")
        self._keep(tail)
        return [line for line in (first, *lines) if line]

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting > self._limit:
            raise ApiServerError(f"expected lines of at most {self._limit} bytes in a watch, found a longer one")
