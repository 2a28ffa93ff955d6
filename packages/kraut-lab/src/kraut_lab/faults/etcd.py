"""etcd out of space: it takes no writes any more until somebody makes room and disarms its alarm.

The steps are those of etcd's maintenance guide (Space quota): compact, defragment, disarm.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kraut_lab.controlplane import ControlPlane
from kraut_lab.errors import LabError
from kraut_lab.faults.signals import running_process
from kraut_lab.waiting import wait_for

_JUNK = "kraut-fault/"
_JUNK_BYTES = 1_000_000
_ROOM_BYTES = 8_000_000
_TIMEOUT_SECONDS = 60


@contextmanager
def quota_exhausted(plane: ControlPlane) -> Iterator[None]:
    """Give etcd a quota a little above what it uses, fill it, and heal as an administrator would; the quota then goes.

    Only requests that write fail, with "etcdserver: mvcc: database space exceeded".
    """
    argv = _argv(plane)
    client = EtcdClient(plane)
    quota = int(client.call("/v3/maintenance/status", {})["dbSize"]) + _ROOM_BYTES
    _restart(plane, client, [*argv, f"--quota-backend-bytes={quota}"])
    try:
        _fill(client)
        yield
    finally:
        client.make_room()
        _restart(plane, client, argv)


class EtcdClient:
    """The few calls of etcd's JSON gateway that a fault and its healing need, as kube-apiserver's own identity."""

    def __init__(self, plane: ControlPlane) -> None:
        authority, pair, self._port = plane.etcd_access
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.load_cert_chain(pair.certificate, pair.key)

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON. Raises LabError with etcd's answer when it is not 200."""
        status, answer = self.try_call(path, body)
        if status != 200:
            raise LabError(f"etcd should answer {path} with 200, it answered {status}: {answer}")
        return answer

    def try_call(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST JSON; returns the status and the answer."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._tls, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def make_room(self) -> None:
        """Delete the junk, compact, defragment, disarm the alarm."""
        deleted = self.call("/v3/kv/deleterange", {"key": _b64(_JUNK), "range_end": _b64(_JUNK + "~")})
        self.call("/v3/kv/compaction", {"revision": deleted["header"]["revision"], "physical": True})
        self.call("/v3/maintenance/defragment", {})
        for raised in self.alarms():
            self.call("/v3/maintenance/alarm", {"action": "DEACTIVATE", **raised})
        if left := self.alarms():
            raise LabError(f"etcd should have no alarm left, it has {left}.")

    def alarms(self) -> list[dict[str, Any]]:
        """The alarms that are raised: ``memberID`` and ``alarm``."""
        found: list[dict[str, Any]] = self.call("/v3/maintenance/alarm", {"action": "GET"}).get("alarms", [])
        return found


def _fill(client: EtcdClient) -> None:
    value = _b64("x" * _JUNK_BYTES)
    for number in range(2 * _ROOM_BYTES // _JUNK_BYTES):
        status, answer = client.try_call("/v3/kv/put", {"key": _b64(f"{_JUNK}{number}"), "value": value})
        if status != 200:
            if "space exceeded" not in json.dumps(answer):
                raise LabError(f"etcd should refuse for want of space only, it answered {status}: {answer}")
            return
    raise LabError("etcd should have refused to take more than its quota, it took everything.")


def _argv(plane: ControlPlane) -> list[str]:
    pid = running_process(plane.etcd).pid
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


def _restart(plane: ControlPlane, client: EtcdClient, argv: list[str]) -> None:
    plane.etcd.kill()
    plane.etcd.start(argv)

    def answers() -> bool | None:
        try:
            return True if client.try_call("/v3/maintenance/status", {})[0] == 200 else None
        except OSError:
            return None

    wait_for(answers, "etcd to answer", timeout=120)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
