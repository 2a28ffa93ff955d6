"""Where secrets must not be: everything that a lab keeps or shows, the Secret objects themselves excepted."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

from kraut_lab.lab import Lab

SECRETS = b"/registry/secrets/"


def read_places(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """(place, its bytes) one after the other: Temporal's database, logs, etcd without Secrets, each host's own records."""
    for file in sorted(lab.temporal.database.parent.glob(f"{lab.temporal.database.name}*")):
        yield f"Temporal's {file.name}", _read(file)
    for file in sorted((lab.folder / "logs").glob("*.log")):
        yield f"log {file.name}", _read(file)
    for key, value in read_etcd(lab):
        yield f"etcd {key.decode()}", value
    for host in lab.hosts:
        yield f"journal of {host.name}", host.exec("journalctl --no-pager --output=verbose").stdout.encode()
        root = lab.folder / "hosts" / host.name / "upper"
        for folder in ("var/lib/kraut", "var/log"):
            for file in _files(root / folder):
                yield f"{host.name} {file.relative_to(root)}", _read(file)


def read_etcd(lab: Lab) -> list[tuple[bytes, bytes]]:
    """Key and value of everything in etcd but Secrets, as kube-apiserver stored it."""
    pki = lab.folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "etcd-ca.crt"))
    context.load_cert_chain(pki / "etcd-client.crt", pki / "etcd-client.key")
    connection = http.client.HTTPSConnection("127.0.0.1", lab.control_plane.ports.etcd_client, context=context)
    # From the key "\0" to "\0" is everything (etcd's RangeRequest).
    body = json.dumps({"key": "AA==", "range_end": "AA=="})
    connection.request("POST", "/v3/kv/range", body)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    pairs = [(base64.b64decode(kv["key"]), base64.b64decode(kv.get("value", ""))) for kv in answer["kvs"]]
    return [(key, value) for key, value in pairs if not key.startswith(SECRETS)]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""  # removed since it was listed, as SQLite's rollback journal is after each transaction


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
