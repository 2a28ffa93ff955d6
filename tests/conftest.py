"""A plain client of a real API server, for tests that must say exactly what goes over the wire."""

import base64
import http.client
import json
import ssl
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml


class KubeApi:
    """Blocking requests under one kubeconfig, over one connection; answers are ``(status, object)``."""

    def __init__(self, kubeconfig: Path):
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]).decode())
        self._headers = {"Accept": "application/json"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        else:
            with tempfile.NamedTemporaryFile() as pair:
                pair.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
                pair.flush()
                context.load_cert_chain(pair.name)
        self._connection = http.client.HTTPSConnection(urlsplit(cluster["server"]).netloc, context=context, timeout=60)

    def request(self, method, path, body=None, content_type="application/json", **headers):
        content = None if body is None else json.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {**self._headers, "Content-Type": content_type, **names}
        status, text = self._exchange(method, path, content, headers)
        return status, json.loads(text) if text.startswith(b"{") else text.decode()

    def _exchange(self, method, path, content, headers):
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, body=content, headers=headers)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, ConnectionError, ssl.SSLEOFError):
                # The server ends idle connections; what is sent into one that just ended gets no answer.
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("not reached")

    def close(self):
        self._connection.close()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)


@pytest.fixture(scope="session")
def admin(control_plane):
    api = KubeApi(control_plane.kubeconfig())
    yield api
    api.close()


@pytest.fixture(scope="session")
def as_component(control_plane):
    """``as_component("worker")``: a client with the token of that component's service account."""
    clients = {}

    def client(component):
        if component not in clients:
            clients[component] = KubeApi(control_plane.kubeconfig(component))
        return clients[component]

    yield client
    for api in clients.values():
        api.close()


@pytest.fixture
def namespace(admin, request):
    """A namespace of the test's own; nothing waits for its end."""
    status, created = admin.request("POST", "/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
    assert status == 201, created
    name = created["metadata"]["name"]
    yield name
    admin.request("DELETE", f"/api/v1/namespaces/{name}")
