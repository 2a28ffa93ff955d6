"""What can be wrong with a Cluster: each has a class, says what was expected, found and to do, and heals when it is mended."""

import asyncio
import base64
import contextlib
import ssl
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from tests.identity.strangers import Address, answers, goes_on_and_on, says_nothing, serving

from kraut_core.api.conditions import find
from kraut_core.identity.authentication import trust_cluster
from kraut_core.kube.testing import FaultProxy

pytestmark = pytest.mark.integration

AUDIENCE = "https://forbidden.example.com"
BASIC_USER = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:basic-user"


def said(ready, status, *words):
    """Ready is as expected, and its message has all that somebody needs who must act."""
    assert ready.status == status, ready
    for word in words:
        assert word in ready.message, ready.message


async def test_a_target_whose_rbac_gives_nothing(desk, site, direct, target):
    """Forbidden: it knows kraut (401 would be another class) and refuses even what every authenticated user may do."""
    target.trust(trust_cluster(site.described(site.issuer, AUDIENCE), "east"))
    desk.account()
    await desk.see("bare", {"direct": {**direct, "server": target.url, "audience": AUDIENCE}})
    await desk.until("bare", "Reachable", issuer=False)
    binding = target.admin.get(BASIC_USER)
    target.admin.delete(BASIC_USER)
    try:
        status, ready = await desk.until("bare", "Forbidden")
        user = f"kraut:east:system:serviceaccount:{desk.namespace}:kraut"
        said(ready, "False", target.url, user, "selfsubjectreviews", "bind the ClusterRoles system:basic-user")
        assert status.reachable is True, "it answers, with a trusted certificate"
        assert find(status.conditions, "Stalled").reason == "Forbidden"
    finally:
        kept = {name: binding[name] for name in ("apiVersion", "kind", "roleRef", "subjects")}
        target.admin.create(BASIC_USER.rpartition("/")[0], {**kept, "metadata": {"name": "system:basic-user"}})
    status, _ = await desk.until("bare", "Reachable", issuer=False)
    assert find(status.conditions, "Stalled") is None


async def test_a_service_account_that_does_not_exist(desk, direct):
    desk.allow_tokens_of("ghost")
    await desk.see("west", {"direct": {**direct, "serviceAccountName": "ghost"}})
    # Until the Role is in force the API server does not say whether the account exists.
    status, ready = await desk.until("west", "ServiceAccountNotFound")
    said(ready, "False", f"ServiceAccount ghost in namespace {desk.namespace} does not exist", "create it, or correct")
    assert status.reachable is False
    path = f"/api/v1/namespaces/{desk.namespace}/serviceaccounts"
    assert desk.admin.request("POST", path, {"metadata": {"name": "ghost"}})[0] == 201
    await desk.until("west", "Reachable", issuer=False)


async def test_a_provider_that_refuses(desk, site, exchange):
    desk.account()
    secret = site.dex.secret_file("west").read_bytes()
    desk.secret("dex", client_secret=secret)
    good = exchange()
    provider, client = good["provider"], good["clientAuthentication"]
    cases = {
        "client": (
            {**good, "clientAuthentication": {**client, "clientID": "nobody"}},
            "ExchangeClientRefused",
            "clientAuthentication should name a client that the provider knows",
        ),
        "connector": (
            {**good, "provider": {**provider, "parameters": [{"name": "connector_id", "value": "nowhere"}]}},
            "ExchangeRequestInvalid",
            "connector_id is the id of a connector",
        ),
        "audience": ({**good, "audience": "north"}, "ExchangeTargetRefused", "correct audience, clientID"),
    }
    for name, (access, reason, what_to_do) in cases.items():
        await desk.see(name, {"exchange": access})
        _, ready = await desk.until(name, reason)
        said(ready, "False", site.dex.token_endpoint, what_to_do, "spec.access.exchange")
        assert secret.decode() not in ready.message
        desk.mend(name, {"exchange": good})
        await desk.until(name, "Reachable", issuer=False)


async def test_a_provider_that_is_down(desk, site, exchange):
    """Nothing is known of the cluster then, and nobody has to act here; a token that is still good goes on working."""
    desk.account()
    desk.secret("dex", client_secret=site.dex.secret_file("west").read_bytes())
    good = exchange()
    async with FaultProxy.open(site.dex.token_endpoint.removesuffix("/dex/token")) as proxy:
        provider = {**good["provider"], "tokenEndpoint": f"{proxy.url}/dex/token"}
        proxy.refusing = True
        await desk.see("west", {"exchange": {**good, "provider": provider}})
        status, ready = await desk.until("west", "ExchangeUnavailable")
        said(ready, "Unknown", proxy.url, "does not answer", "kraut goes on trying", "see that the provider runs")
        assert find(status.conditions, "Stalled") is None
        assert find(status.conditions, "Reconciling").reason == "Retrying"
        proxy.refusing = False
        await desk.until("west", "Reachable", issuer=False)
        proxy.refusing = True
        _, ready = await desk.look("west")
        assert ready.reason == "Reachable"


async def test_certificates_of_other_authorities(desk, site, direct, exchange):
    desk.account()
    desk.secret("dex", client_secret=site.dex.secret_file("west").read_bytes())
    good = exchange()
    lab, cluster = good["provider"]["caBundle"], direct["caBundle"]
    await desk.see("target", {"direct": {**direct, "caBundle": lab}})
    _, ready = await desk.until("target", "CertificateUntrusted")
    said(ready, "False", direct["server"], "authority of caBundle", "correct one of them")
    desk.mend("target", {"direct": direct})
    await desk.until("target", "Reachable", issuer=False)

    await desk.see("provider", {"exchange": {**good, "provider": {**good["provider"], "caBundle": cluster}}})
    _, ready = await desk.until("provider", "ExchangeUnavailable")
    said(ready, "Unknown", site.dex.token_endpoint, "certificate is not trusted", "a certificate of provider.caBundle")
    desk.mend("provider", {"exchange": good})
    await desk.until("provider", "Reachable", issuer=False)


DEEP = b'{"status":' + b"[" * 50_000
STRANGERS = {
    "empty": answers(b""),
    "page": answers(b"<html>It works!</html>"),
    "object": answers(b"{}"),
    "list": answers(b"[]"),
    "null": answers(b'{"status":null}'),
    "success": answers(b'{"kind":"Status","status":"Success"}'),
    "nobody": answers(b'{"status":{"userInfo":null}}'),
    "binary": answers(b"\xff\xfe\x00"),
    "deep": answers(DEEP),
    "failing": answers(b'{"kind":"Status","message":"etcdserver: request timed out"}', status=500),
    "teapot": answers(b"{}", status=418),
    "endless": goes_on_and_on(b" " * 65_536, pause=0),
    "dripping": goes_on_and_on(b" ", pause=0.2),
    "silent": says_nothing,
}
"""By the name of the Cluster. They show a certificate that it trusts."""


@pytest.fixture
async def places(site, west, authority):
    """An address for each stranger, all of which lead to cluster west at first."""
    pair = authority.issue("stranger", "stranger", hosts=("127.0.0.1",))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with contextlib.AsyncExitStack() as stack:
        found = {}
        for name, handle in {**STRANGERS, "plain": answers(b"{}")}.items():
            stranger = await stack.enter_async_context(serving(handle, None if name == "plain" else tls))
            address = await stack.enter_async_context(Address.open(urlsplit(west.url).port))
            found[name] = SimpleNamespace(address=address, stranger=stranger, home=address.leads_to)
        yield found


@pytest.fixture
def both_authorities(site):
    """Of cluster west and of the strangers."""
    return base64.b64encode(site.cluster_ca.read_bytes() + site.ca.read_bytes()).decode()


async def test_whatever_answers_in_its_place_is_no_reachable_cluster(desk, direct, places, both_authorities):
    """Also without spec.issuer, which would catch some of them: nothing else may take them for a cluster."""
    desk.account()
    for name, place in places.items():
        access = {**direct, "server": place.address.url, "caBundle": both_authorities}
        await desk.see(name, {"direct": access})
    await asyncio.gather(*(desk.until(name, "Reachable", issuer=False) for name in places))

    for place in places.values():
        place.address.leads_to = place.stranger
    seen = dict(zip(places, await asyncio.gather(*(desk.look(name) for name in places)), strict=True))
    for name, (status, ready) in seen.items():
        assert ready.status in {"False", "Unknown"}, f"{name}: {ready}"
        assert ready.reason != "Reachable", f"{name}: {ready}"
        assert places[name].address.url in ready.message, f"{name}: {ready}"
        assert find(status.conditions, "Stalled" if ready.status == "False" else "Reconciling"), f"{name}: {status}"

    for place in places.values():
        place.address.leads_to = place.home
    for status, _ in await asyncio.gather(*(desk.until(name, "Reachable", issuer=False) for name in places)):
        assert status.reachable is True
        assert find(status.conditions, "Stalled") is None
