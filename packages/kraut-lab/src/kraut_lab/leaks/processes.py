"""What the arguments and environments of all processes of the machine were while something ran (proc(5))."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

_PAUSE_SECONDS = 0.02


class ProcessSampler:
    """A context manager: samples /proc/*/cmdline and /proc/*/environ from its beginning to its end, in a thread."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_the_end, name="process-sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def content(self) -> bytes:
        """Every different cmdline and environ that was seen."""
        return b"\n".join(sorted(self._seen.copy()))

    def _sample_until_the_end(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                self._seen |= {_read(process / "cmdline"), _read(process / "environ")}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # it ended meanwhile
