"""kraut-oidc-proxy in a cluster whose administrators took away what every service account may do by default."""

import http.client
import ssl
import time
from urllib.parse import urlsplit

import pytest

from kraut_core.manifests import rbac
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_oidc_proxy.issuers import DISCOVERY_PATH, JWKS_PATH
from kraut_oidc_proxy.testing import ProxyProcess

pytestmark = pytest.mark.integration

NAME = "kraut-oidc-proxy"
NAMESPACE = "kraut-system"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
DEFAULT = f"{BINDINGS}/system:service-account-issuer-discovery"
PATIENCE_SECONDS = 300
SHIPPED = [document for document in rbac() if document["metadata"]["name"] == NAME]
PLACES = {
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "ClusterRole": ROLES,
    "ClusterRoleBinding": BINDINGS,
}


def gives(target, *kinds):
    """Create what is shipped of these kinds."""
    for document in SHIPPED:
        if document["kind"] in kinds:
            assert target.admin.create(PLACES[document["kind"]], document)


@pytest.fixture
def hardened(target):
    """A cluster without the default binding, with two service accounts to which nothing is bound."""
    binding = target.admin.get(DEFAULT)
    target.admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    gives(target, "ServiceAccount")
    target.admin.create(PLACES["ServiceAccount"], {"metadata": {"name": "another"}})
    target.admin.delete(DEFAULT)
    yield target
    for document in SHIPPED:
        target.admin.delete(f"{PLACES[document['kind']]}/{NAME}")
    kept = {name: binding[name] for name in ("apiVersion", "kind", "roleRef", "subjects")}
    target.admin.create(BINDINGS, {**kept, "metadata": {"name": binding["metadata"]["name"]}})


class Account:
    """A service account that asks the API server itself; ``account(path)`` is the status."""

    def __init__(self, target, plane, name):
        self.token = target.server.token(NAMESPACE, name, plane.url)
        self._host, self._tls = urlsplit(target.url).netloc, ssl.create_default_context(cafile=str(plane.ca))

    def __call__(self, path, method="GET"):
        connection = http.client.HTTPSConnection(self._host, context=self._tls, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, None if method == "GET" else "{}", headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def until(self, path, status):
        """Bindings come into force, and go out of it, a moment later."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self(path) != status:
            assert time.monotonic() < deadline, f"{path} never answered {status}"
            time.sleep(0.05)


async def test_the_two_url_role_that_is_shipped_is_what_it_needs(hardened, control_plane, tmp_path):
    proxys, anothers = (Account(hardened, control_plane, name) for name in (NAME, "another"))
    for account in (proxys, anothers):
        account.until(JWKS_PATH, 403)
        account.until(DISCOVERY_PATH, 403)
    config = tmp_path / "proxy.kubeconfig"
    identity = {"user": NAME, "token": proxys.token, "namespace": NAMESPACE}
    write_token_kubeconfig(config, server=hardened.url, ca=control_plane.ca, **identity)
    settings = {"KRAUT_OIDC_ISSUER": control_plane.url, "KRAUT_KUBE_KUBECONFIG": str(config)}
    async with ProxyProcess.running(settings, tmp_path / "proxy.log") as proxy:
        await proxy.until(lambda: bool(proxy.logged("api server not read")), "said that it may not read")
        assert {line["reason"] for line in proxy.logged("api server not read")} == {"Forbidden"}
        assert (await proxy.get(JWKS_PATH)).status == 503
        unready = await proxy.probe("/readyz")
        assert (unready.status, NAME in unready.body.decode()) == (503, True), "it says who may not read"

        gives(hardened, "ClusterRole", "ClusterRoleBinding")
        served = await proxy.until_get(JWKS_PATH, lambda reply: reply.status == 200)
        assert served.json()["keys"]
        assert (await proxy.get(DISCOVERY_PATH)).json()["issuer"] == control_plane.url
        assert (await proxy.probe("/readyz")).status == 200
    assert [anothers(path) for path in (JWKS_PATH, DISCOVERY_PATH)] == [403, 403], "nobody else was let in"
    for path in ("/api/v1/secrets", "/api/v1/namespaces", "/openid/v1", "/metrics", "/apis/kraut.dev/v1alpha1/hosts"):
        assert proxys(path) == 403, path
    assert proxys(JWKS_PATH, "POST") == 403
