"""What is written down while faults strike: every version of every object, operations on the hosts, starts of processes."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kraut_lab.components import Component
from kraut_lab.controlplane.client import AdminClient
from kraut_lab.errors import LabError
from kraut_lab.nemesis.history import HistoryWriter

POLL_SECONDS = 0.2
_RESULT_PREFIX = "exitCode="


class Recorder:
    """Writes events until it is left. ``folders``: host -> its operations' folder, seen from outside of the host."""

    def __init__(
        self,
        history: HistoryWriter,
        api: AdminClient,
        *,
        collections: list[str],
        folders: dict[str, Path],
        processes: list[Component],
    ) -> None:
        self._history = history
        self._api = api
        self._collections = collections
        self._folders = folders
        self._processes = processes
        self._pids: dict[str, int | None] = {}
        self._operations: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record while the block runs."""
        loops: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
            (self._watch, (path,)) for path in self._collections
        ]
        loops.append((self._poll, ()))
        threads = [threading.Thread(target=call, args=arguments, daemon=True) for call, arguments in loops]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(15)

    def _watch(self, path: str) -> None:
        version = ""
        while not self._over.is_set():
            try:
                for event in self._api.watch(path, version):
                    version = self._take(event)
                    if self._over.is_set():
                        return
            except (OSError, LabError, http.client.HTTPException, ValueError):
                # The API server is away, as it is meant to be at times; what was missed is told when it is back.
                self._over.wait(0.2)

    def _take(self, event: dict[str, Any]) -> str:
        if event["type"] == "ERROR":
            return ""
        found = event["object"]
        if event["type"] != "BOOKMARK":
            self._history.note("object", type=event["type"], object=_essence(found))
        return str(found["metadata"]["resourceVersion"])

    def _poll(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            for component in self._processes:
                self._note_process(component)
            for host, folder in self._folders.items():
                self._note_operations(host, folder)

    def _note_process(self, component: Component) -> None:
        name, pid = component.daemon.name, component.pid
        if self._pids.get(name) != pid:
            self._pids[name] = pid
            self._history.note("process", name=name, pid=pid)

    def _note_operations(self, host: str, folder: Path) -> None:
        try:
            found = list(folder.iterdir())
        except OSError:
            return
        for operation in found:
            state = _read_operation(operation)
            if state is not None and self._operations.get((host, operation.name)) != state:
                self._operations[host, operation.name] = state
                type_, claimed, ended, exit_code = state
                self._history.note(
                    "operation",
                    host=host,
                    operation=operation.name,
                    type=type_,
                    claimed=claimed,
                    ended=ended,
                    exitCode=exit_code,
                )


def _read_operation(folder: Path) -> tuple[str, float | None, float | None, int | None] | None:
    """Type, when it was claimed and when it ended by the host's own clock, and its exit code; None when it goes away just now."""
    try:
        spec = (folder / "spec").read_text()
        claimed = _modified(folder / "claim" / "bootID")
        ended = _modified(folder / "result")
        result = (folder / "result").read_text() if ended is not None else ""
    except OSError:
        return None
    type_ = next((line.removeprefix("type=") for line in spec.splitlines() if line.startswith("type=")), "")
    codes = [line.removeprefix(_RESULT_PREFIX) for line in result.split() if line.startswith(_RESULT_PREFIX)]
    return type_, claimed, ended, int(codes[0]) if codes else None


def _modified(file: Path) -> float | None:
    return file.stat().st_mtime if file.exists() else None


def _essence(found: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp", "annotations")
    metadata = {name: value for name, value in found["metadata"].items() if name in names}
    return {"kind": found["kind"], "metadata": metadata, "spec": found.get("spec"), "status": found.get("status")}
