"""The proxy on a real kube-apiserver (statement 11, and the public contract of the discovery document and the keys)."""

import contextlib
import json
import random
from contextlib import asynccontextmanager

import pytest

from kraut_core.kube.testing import FaultProxy, point_kubeconfig
from kraut_oidc_proxy.issuers import DISCOVERY_PATH, JWKS_PATH
from kraut_oidc_proxy.testing import Connection, ProxyProcess

pytestmark = pytest.mark.integration

ROUTES = {DISCOVERY_PATH, JWKS_PATH}
ODD_REQUESTS = 10_000


def good(reply):
    return reply.status == 200


async def test_it_publishes_what_the_api_server_has(proxy, shown):
    discovery, keys = [await proxy.get(path) for path in (DISCOVERY_PATH, JWKS_PATH)]
    assert discovery.json() == await shown(DISCOVERY_PATH)
    assert keys.json() == await shown(JWKS_PATH)
    assert (discovery.headers["content-type"], keys.headers["content-type"]) == (
        "application/json",
        "application/jwk-set+json",
    )
    for reply in (discovery, keys):
        assert reply.headers["cache-control"] == "public, max-age=300"
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "server" not in reply.headers
        assert "strict-transport-security" not in reply.headers


async def test_head_and_conditional_requests(proxy):
    async with Connection.open(proxy.port) as connection:
        found = await connection.get(JWKS_PATH)
        head = await connection.get(JWKS_PATH, method="HEAD")
        assert (head.status, head.headers, head.body) == (200, found.headers, b"")
        etag = found.headers["etag"]
        assert etag.startswith('"')
        for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            same = await connection.get(JWKS_PATH, If_None_Match=condition)
            assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
            assert same.headers["cache-control"] == found.headers["cache-control"]
        for condition in ('"other"', etag.strip('"'), ""):
            assert (await connection.get(JWKS_PATH, If_None_Match=condition)).status == 200
        assert (await connection.get(f"{JWKS_PATH}?format=yaml")).body == found.body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
async def test_other_methods_are_refused(proxy, method):
    for path in ROUTES:
        reply = await proxy.get(path, method=method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert (await proxy.get("/", method=method)).status == 404


async def test_probes_and_metrics_are_on_the_other_port_only(proxy):
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await proxy.get(path)).status == 404
        assert (await proxy.probe(path)).status == 200
    for path in ROUTES:
        assert (await proxy.get(path, port=proxy.probe_port)).status == 404


def odd_path(draw):
    base = draw.choice([*ROUTES, "/", "/openid", "/metrics", "/livez", "/api/v1/secrets", "/apis", "/openid/v1"])
    for _ in range(draw.randint(1, 3)):
        at = draw.randint(0, len(base))
        base = (
            base[:at]
            + draw.choice(["/", "//", "/..", "/.", "%2e", "%2f", "%00", ";a", "A", "a", "%25", "?", "~"])
            + base[at:]
        )
    return base if base.startswith("/") else f"/{base}"


def odd_headers(draw):
    host = draw.choice(
        ["evil.example.com", "127.0.0.1", "localhost:1", "[::1]", "a" * 300, "", "x y", "../..", "%00", "é"]
    )
    forwarded = draw.choice(
        ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Original-URL"]
    )
    return {
        "Host": host,
        forwarded: draw.choice(["evil.example.com", "http", "host=evil", "/metrics", "/openid/v1/jwks"]),
    }


async def test_odd_paths_and_hosts_find_nothing_and_change_nothing(proxy):
    """Statement 11, 10,000 times over one connection that is opened again whenever the server ends it."""
    draw = random.Random(5)
    wanted = {path: (await proxy.get(path)).body for path in ROUTES}
    sent, codes = 0, set()
    while sent < ODD_REQUESTS:
        async with Connection.open(proxy.port) as connection:
            while sent < ODD_REQUESTS:
                path = draw.choice([*ROUTES]) if draw.random() < 0.2 else odd_path(draw)
                lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in odd_headers(draw).items())]
                reply = await connection.send(("\r\n".join(lines) + "\r\n\r\n").encode())
                sent += 1
                codes.add(reply.status)
                route = path.partition("?")[0]
                if reply.status == 200:
                    assert wanted[route] == reply.body
                else:
                    assert (reply.status, route in ROUTES) in ((404, False), (400, False), (400, True)), path
                if reply.headers.get("connection") == "close":
                    break
    assert {200, 404} <= codes
    assert good(await proxy.get(JWKS_PATH))


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /openid/v1/jwks HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /openid/v1/jwks\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  /openid/v1/jwks HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /openid/v1/jwks HTTP/1.1\r\nBad Header: a\r\n\r\n",
        b"CONNECT /openid/v1/jwks HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["large header", "long path", "not ASCII", "two lengths", "TLS", "a blank in a name", "CONNECT"],
)
async def test_malformed_requests_are_refused(proxy, request_bytes):
    async with Connection.open(proxy.port) as connection:
        with contextlib.suppress(ConnectionError):  # or closed without an answer
            assert (await connection.send(request_bytes)).status in (400, 404, 405)
    assert good(await proxy.get(JWKS_PATH))


async def test_an_absolute_target_of_another_host_is_the_same_document(proxy):
    wanted = await proxy.get(DISCOVERY_PATH)
    found = await proxy.get(f"https://evil.example.com{DISCOVERY_PATH}", Host="evil.example.com")
    assert found.body == wanted.body


async def test_two_proxies_give_the_same_bytes_and_tags(proxy, settings, tmp_path):
    async with ProxyProcess.running(settings, tmp_path / "other.log") as other:
        for path in ROUTES:
            found, same = await other.until_get(path, good), await proxy.get(path)
            assert (found.headers["etag"], found.body) == (same.headers["etag"], same.body)


async def test_traffic_does_not_reach_the_api_server(settings, proxy_kubeconfig, control_plane, tmp_path):
    async with FaultProxy.open(control_plane.url) as link:
        kubeconfig = point_kubeconfig(proxy_kubeconfig, link.url, tmp_path / "kubeconfig")
        slow = {**settings, "KRAUT_KUBE_KUBECONFIG": str(kubeconfig), "KRAUT_OIDC_POLL_SECONDS": "3600"}
        async with ProxyProcess.running(slow, tmp_path / "log") as proxy:
            await proxy.until_get(JWKS_PATH, good)
            before = link.accepted
            async with Connection.open(proxy.port) as connection:
                for _ in range(1000):
                    assert good(await connection.get(JWKS_PATH))
                assert (await connection.get("/elsewhere")).status == 404
            assert link.accepted == before
            assert await proxy.metric("kraut_oidc_requests_total") >= 1001


@asynccontextmanager
async def behind_a_link(settings, control_plane, proxy_kubeconfig, tmp_path, **more):
    """A proxy whose way to the API server can be broken; gives both."""
    async with FaultProxy.open(control_plane.url) as link:
        kubeconfig = point_kubeconfig(proxy_kubeconfig, link.url, tmp_path / "kubeconfig")
        own = {"KRAUT_KUBE_KUBECONFIG": str(kubeconfig), "KRAUT_OIDC_TIMEOUT_SECONDS": "1", **more}
        async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
            yield proxy, link


async def test_an_api_server_that_is_down_or_silent_changes_nothing(
    settings, proxy_kubeconfig, control_plane, tmp_path
):
    async with behind_a_link(settings, control_plane, proxy_kubeconfig, tmp_path) as (proxy, link):
        wanted = await proxy.until_get(JWKS_PATH, good)
        for fault in ("refusing", "silent"):
            link.refusing, link.silent = fault == "refusing", fault == "silent"
            count = len(proxy.logged("api server not read"))
            await proxy.until(
                lambda count=count: len(proxy.logged("api server not read")) > count, f"noticed that it is {fault}"
            )
            assert (await proxy.get(JWKS_PATH)).body == wanted.body
            assert (await proxy.probe("/livez")).status == 200
            assert (await proxy.probe("/readyz")).status == 200


async def test_after_max_stale_it_answers_503_until_the_api_server_is_back(
    settings, proxy_kubeconfig, control_plane, tmp_path
):
    stale = {"KRAUT_OIDC_MAX_STALE_SECONDS": "15", "KRAUT_OIDC_TIMEOUT_SECONDS": "5"}
    async with behind_a_link(settings, control_plane, proxy_kubeconfig, tmp_path, **stale) as (proxy, link):
        wanted = await proxy.until_get(JWKS_PATH, good)
        link.refusing = True
        for path in ROUTES:
            gone = await proxy.until_get(path, lambda reply: reply.status == 503)
            assert (gone.headers["cache-control"], gone.headers["retry-after"]) == ("no-store", "30")
        assert (await proxy.probe("/readyz")).status == 503
        assert (await proxy.probe("/livez")).status == 200
        assert await proxy.metric("kraut_oidc_serving") == 0
        link.heal()
        assert (await proxy.until_get(JWKS_PATH, good)).headers["etag"] == wanted.headers["etag"]
        assert (await proxy.probe("/readyz")).status == 200


async def test_it_starts_while_the_api_server_is_away_and_is_not_ready(
    settings, proxy_kubeconfig, control_plane, tmp_path
):
    async with FaultProxy.open(control_plane.url) as link:
        link.refusing = True
        kubeconfig = point_kubeconfig(proxy_kubeconfig, link.url, tmp_path / "kubeconfig")
        async with ProxyProcess.running(
            settings | {"KRAUT_KUBE_KUBECONFIG": str(kubeconfig)}, tmp_path / "log"
        ) as proxy:
            await proxy.until(lambda: bool(proxy.logged("api server not read")), "tried")
            assert (await proxy.get(JWKS_PATH)).status == 503
            assert (await proxy.probe("/readyz")).status == 503
            assert (await proxy.probe("/livez")).status == 200
            link.refusing = False
            await proxy.until_get(JWKS_PATH, good)
            assert (await proxy.probe("/readyz")).status == 200


async def test_another_issuer_is_never_published(settings, control_plane, tmp_path):
    wrong = {**settings, "KRAUT_OIDC_ISSUER": f"{control_plane.url}/"}
    async with ProxyProcess.running(wrong, tmp_path / "log") as proxy:
        await proxy.until(lambda: bool(proxy.logged("api server not read")), "tried")
        for path in ROUTES:
            assert (await proxy.get(path)).status == 503
        ready = await proxy.probe("/readyz")
        assert ready.status == 503
        assert b"--service-account-issuer" in ready.body
        assert await proxy.metric("kraut_oidc_issuer_match") == 0


async def test_the_rights_of_every_service_account_suffice_and_the_shipped_role_grants_the_same(admin_api):
    """The default role reaches the group of all service accounts; the shipped one reaches this account without it."""

    def allowed(verb, path, groups):
        spec = {
            "user": "system:serviceaccount:kraut-system:kraut-oidc-proxy",
            "groups": groups,
            "nonResourceAttributes": {"verb": verb, "path": path},
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return admin_api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]

    for path in ROUTES:
        assert allowed("get", path, [])
        assert not allowed("post", path, [])
    for path in ("/", "/openid/v1", "/openid/v1/jwks/a", "/.well-known/", "/api", "/metrics", "/version"):
        assert not allowed("get", path, []), path


async def test_any_service_account_will_do(control_plane, settings, tmp_path, plain_token_kubeconfig):
    own = settings | {"KRAUT_KUBE_KUBECONFIG": str(plain_token_kubeconfig)}
    async with ProxyProcess.running(own, tmp_path / "log") as proxy:
        await proxy.until_get(JWKS_PATH, good)
        assert await proxy.terminate() == 0
        assert "eyJ" not in proxy.log_text


async def test_several_issuers_have_a_path_each_and_do_not_take_each_other_down(
    settings, control_plane, shown, rude, kubeconfig_for, tmp_path
):
    keys = json.dumps(await shown(JWKS_PATH)).encode()
    async with rude("https://oidc.example.com/west", keys) as west:
        file = tmp_path / "issuers.yaml"
        file.write_text(json.dumps([{"issuer": "https://oidc.example.com/west", "kubeconfig": kubeconfig_for(west)}]))
        async with ProxyProcess.running(settings | {"KRAUT_OIDC_ISSUERS_FILE": str(file)}, tmp_path / "log") as proxy:
            found = await proxy.until_get(f"/west{DISCOVERY_PATH}", good)
            assert found.json()["issuer"] == "https://oidc.example.com/west"
            assert found.json()["jwks_uri"] == "https://oidc.example.com/west/openid/v1/jwks"
            assert (await proxy.until_get(DISCOVERY_PATH, good)).json()["issuer"] == control_plane.url
            assert (await proxy.get(f"/east{DISCOVERY_PATH}")).status == 404
            west.issuer = "https://oidc.example.com/other"
            await proxy.until_get(f"/west{JWKS_PATH}", lambda reply: reply.status == 503)
            assert good(await proxy.get(JWKS_PATH))
            assert (await proxy.probe("/readyz")).status == 200
