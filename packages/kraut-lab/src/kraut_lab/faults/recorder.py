"""Every version of every Host of a namespace, from the API server's own watch."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from kraut_core.api.conformance import assert_conformance
from kraut_core.api.v1alpha1.host import Host
from kraut_lab.faults.recordings import Event
from kraut_lab.waiting import wait_until


class Recorder:
    """All versions of all Hosts, in the order in which they were committed.

    ``events`` are their (type, object); ``foreign`` the resourceVersions that a test wrote into the status itself.
    """

    def __init__(self, path: str, kubeconfig: Path) -> None:
        """Args: path: of the collection at the API server."""
        self.events: list[Event] = []
        self.foreign: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._path = path
        self._kubeconfig = kubeconfig

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Record for as long as the context lasts, also while the API server comes and goes."""
        over = threading.Event()
        thread = threading.Thread(target=self._follow, args=(over,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            while thread.is_alive():
                if self._process is not None:
                    self._process.terminate()
                thread.join(0.2)

    def _follow(self, over: threading.Event) -> None:
        kubectl = Path(sys.executable).with_name("kubectl")
        version = ""
        while not over.is_set():
            path = f"{self._path}?watch=true&resourceVersion={version}"
            argv = [str(kubectl), "--kubeconfig", str(self._kubeconfig), "get", "--raw", path]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                self._process = process
                version = self._take(process, version)
                process.terminate()
            over.wait(0.2)

    def _take(self, process: subprocess.Popen[bytes], version: str) -> str:
        """Keep what comes; returns the resourceVersion to go on from, "" to be told again what exists."""
        for line in process.stdout or ():
            if not line.endswith(b"\n"):
                break  # the API server died in the middle of it
            event = json.loads(line)
            if event["type"] == "ERROR":
                return ""
            version = event["object"]["metadata"]["resourceVersion"]
            self.events.append((event["type"], event["object"]))
        return version

    @property
    def versions(self) -> list[dict[str, Any]]:
        """The objects."""
        return [version for _, version in self.events]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Versions of one object."""
        return [version for version in self.versions if version["metadata"]["name"] == name]

    def wait_deleted(self, name: str) -> None:
        """Wait until an object's end is recorded: whoever saw that it is gone may have seen it before."""
        wait_until(
            lambda: any(kind == "DELETED" and found["metadata"]["name"] == name for kind, found in list(self.events)),
            f"the end of {name} to be recorded",
        )

    def assert_conformance(self) -> None:
        """Every status that anybody could have seen says what a status must say (kraut_core.api.conformance)."""
        previous: dict[str, Host] = {}
        not_krauts: dict[str, Any] = {}
        for version in self.versions:
            metadata, status = version["metadata"], version.get("status")
            if metadata["resourceVersion"] in self.foreign:
                not_krauts[metadata["uid"]] = status
            if metadata["uid"] in not_krauts and not_krauts[metadata["uid"]] == status:
                previous.pop(metadata["uid"], None)
                continue
            host = Host.model_validate(version)
            assert_conformance(host, previous.get(metadata["uid"]))
            previous[metadata["uid"]] = host
