"""Statement 5 over real TLS: where requests go, whatever names, documents and redirects say; and statement 4's sizes."""

import asyncio
import gzip
import os
import socket
from dataclasses import replace
from ipaddress import ip_network

import pytest
from aiohttp import web

from kraut_core.errors import UnreachableError
from kraut_core.identity.adapters.http import ResponseError, SafeHttp
from kraut_core.identity.adapters.keys import fetch_keys
from kraut_core.identity.errors import CredentialError, UntrustedUrlError
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.keys import KeyCache
from kraut_lab.pki import CertificateAuthority

pytestmark = pytest.mark.integration

LOOPBACK = (ip_network("127.0.0.0/8"),)


async def test_authorities_that_are_no_ascii_are_none_and_break_nothing():
    async with SafeHttp(networks=LOOPBACK, ca="# Z\u00fcrich\n") as http:
        with pytest.raises(CredentialError, match="should hold PEM certificates"):
            await http.get("https://localhost:1/")


def redirect(location):
    return web.Response(status=302, headers={"Location": location})


@pytest.fixture
async def server(site):
    async with site() as found:
        found.answers["/ok"] = web.Response(body=b"fine")
        yield found


@pytest.fixture
async def http(ca_file):
    async with SafeHttp(networks=LOOPBACK, ca_file=ca_file) as found:
        yield found


async def test_an_allowed_server_is_asked(server, http):
    assert await http.get(f"{server.url}/ok") == b"fine"
    sent = server.headers[0]
    assert not {"Authorization", "Cookie"} & set(sent)


async def test_loopback_is_not_asked_unless_allowed(server, ca_file):
    async with SafeHttp(ca_file=ca_file) as http:
        for url in (f"{server.url}/ok", f"{server.url}/ok".replace("localhost", "127.0.0.1")):
            with pytest.raises(UntrustedUrlError, match=r"127\.0\.0\.1"):
                await http.get(url)
    assert server.calls == []


async def test_a_name_is_judged_by_the_address_that_is_connected_to(server, ca_file, monkeypatch):
    """DNS rebinding: a good address when somebody looks, another one when the connection is made."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host, *arguments, **options):
        asked.append(host)
        return real("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = server.url.rpartition(":")[2]
    async with SafeHttp(ca_file=ca_file) as http:
        with pytest.raises(UntrustedUrlError):
            await http.get(f"https://oidc.example.com:{port}/ok")
    assert asked
    assert server.calls == []


async def test_an_ipv6_address_is_judged_as_what_it_is(site, ca_file):
    """IPv6's own loopback, and IPv4's as IPv6 writes it, at servers that would answer."""
    async with site("::1") as six, site() as four:
        six.answers["/ok"] = four.answers["/ok"] = web.Response(body=b"fine")
        at_six = f"https://[::1]:{six.url.rpartition(':')[2]}/ok"
        mapped = f"https://[::ffff:127.0.0.1]:{four.url.rpartition(':')[2]}/ok"
        async with SafeHttp(networks=(ip_network("10.0.0.0/8"),), ca_file=ca_file) as http:
            for url in (at_six, mapped):
                with pytest.raises(UntrustedUrlError, match="address"):
                    await http.get(url)
        assert (six.calls, four.calls) == ([], [])
        async with SafeHttp(networks=(ip_network("::1/128"),), ca_file=ca_file) as http:
            assert await http.get(at_six) == b"fine"
            with pytest.raises(UntrustedUrlError, match="address"):
                await http.get(mapped)
        assert four.calls == []


@pytest.fixture
async def inside(site, monkeypatch):
    """A server that would answer, by a name that anybody may publish, at an address that nobody may ask."""
    real = socket.getaddrinfo

    def resolving(host, *arguments, **options):
        return real("127.0.0.2" if host == "inside.example.com" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    async with site("127.0.0.2") as found:
        found.url = f"https://inside.example.com:{found.url.rpartition(':')[2]}"
        yield found


async def test_a_redirect_or_jwks_uri_by_name_to_an_inner_address_is_not_asked(server, inside, ca_file, signer):
    allowed = (ip_network("127.0.0.1/32"),)
    inside.answers["/keys"] = web.Response(body=signer.jwks())
    server.answers["/away"] = redirect(f"{inside.url}/keys")
    document = f'{{"issuer":"{server.url}","jwks_uri":"{inside.url}/keys"}}'
    server.answers["/.well-known/openid-configuration"] = web.Response(body=document.encode())
    issuer = TrustedIssuer(url=server.url, audiences=frozenset({"a"}), ca_file=ca_file, networks=allowed)
    async with SafeHttp(networks=allowed, ca_file=ca_file) as http:
        with pytest.raises(UntrustedUrlError, match=r"127\.0\.0\.2"):
            await http.get(f"{server.url}/away")
    with pytest.raises(UntrustedUrlError, match=r"127\.0\.0\.2"):
        await fetch_keys(issuer)
    assert inside.calls == []
    everywhere = replace(issuer, networks=LOOPBACK)
    assert await fetch_keys(everywhere) == signer.jwks(), "nothing but the address was in the way"


async def test_redirects_are_followed_only_to_where_requests_may_go(server, http, monkeypatch):
    server.answers |= {
        "/once": redirect("/ok"),
        "/plain": redirect("http://localhost/ok"),
        "/metadata": redirect("https://169.254.169.254/latest/meta-data"),
        "/user": redirect("https://user@localhost/ok"),
        "/loop": redirect("/loop"),
        "/nowhere": web.Response(status=302),
        "/no-name": redirect("https://a..b/"),
        "/no-address": redirect("https://[:::::]/"),
    }
    assert await http.get(f"{server.url}/once") == b"fine"
    for path in ("/plain", "/metadata", "/user", "/no-name", "/no-address"):
        with pytest.raises(UntrustedUrlError):
            await http.get(f"{server.url}{path}")
    for path in ("/loop", "/nowhere"):
        with pytest.raises(ResponseError):
            await http.get(f"{server.url}{path}")
    assert server.calls.count("/loop") == 4


async def test_a_form_is_never_sent_on(server, http):
    server.answers["/token"] = redirect("/ok")
    answer = await http.post_form(f"{server.url}/token", b"subject_token=planted", {})
    assert (answer.status, server.calls) == (302, ["/token"])
    assert "planted" not in repr(answer)


async def test_the_environment_has_no_part_in_it(server, http, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login a password planted")
    netrc.chmod(0o600)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(netrc))
    assert await http.get(f"{server.url}/ok") == b"fine"
    assert "Authorization" not in server.headers[0]


async def test_cookies_are_not_kept(server, http):
    server.answers["/cookie"] = web.Response(headers={"Set-Cookie": "a=b"})
    await http.get(f"{server.url}/cookie")
    await http.get(f"{server.url}/ok")
    assert "Cookie" not in server.headers[1]


async def test_too_much_is_not_read(server, http):
    server.answers |= {
        "/large": web.Response(body=b" " * (10 << 20)),
        "/bomb": web.Response(body=gzip.compress(b" " * (64 << 20)), headers={"Content-Encoding": "gzip"}),
        "/html": web.Response(status=404, body=b"<html>"),
    }
    for path in ("/large", "/bomb", "/html"):
        with pytest.raises(ResponseError):
            await http.get(f"{server.url}{path}")


async def test_an_untrusted_certificate_is_refused_and_said(server, tmp_path):
    async with SafeHttp(networks=LOOPBACK) as http:
        with pytest.raises(UnreachableError, match="certificate"):
            await http.get(f"{server.url}/ok")
    absent = tmp_path / "absent.crt"
    async with SafeHttp(networks=LOOPBACK, ca_file=absent) as http:
        with pytest.raises(CredentialError, match=r"absent\.crt"):
            await http.get(f"{server.url}/ok")
    assert server.calls == []


async def test_another_name_than_the_certificates_is_refused(server, ca_file, monkeypatch):
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: real("127.0.0.1", *rest, **more))
    port = server.url.rpartition(":")[2]
    async with SafeHttp(networks=LOOPBACK, ca_file=ca_file) as http:
        with pytest.raises(UnreachableError, match="certificate"):
            await http.get(f"https://oidc.example.com:{port}/ok")


async def test_a_server_that_says_nothing_is_given_up(ca_file):
    silent = await asyncio.start_server(lambda _r, _w: asyncio.sleep(3600), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with SafeHttp(networks=LOOPBACK, ca_file=ca_file, timeout_seconds=0.5) as http:
        with pytest.raises(UnreachableError, match="in time"):
            await http.get(f"https://localhost:{port}/ok")
    silent.close()


async def test_keys_come_from_the_document_and_an_odd_one_leads_nowhere(server, ca_file, signer):
    issuer = TrustedIssuer(url=server.url, audiences=frozenset({"a"}), ca_file=ca_file, networks=LOOPBACK)
    document = '{{"issuer":"{issuer}","jwks_uri":"{keys}"}}'.format

    def publish(**changes):
        text = document(**{"issuer": server.url, "keys": f"{server.url}/keys", **changes})
        server.answers["/.well-known/openid-configuration"] = web.Response(body=text.encode())

    publish()
    server.answers["/keys"] = web.Response(body=signer.jwks())
    now = 0.0
    told = []
    cache = KeyCache(fetch_keys, clock=lambda: now, on_fetch=lambda _issuer, error: told.append(error))
    assert await cache.find(issuer, "rsa") is not None
    for changes, reason in (
        ({"issuer": f"{server.url}/"}, "IssuerMismatch"),
        ({"keys": "http://localhost/keys"}, "UrlUntrusted"),
        ({"keys": "https://169.254.169.254/keys"}, "UrlUntrusted"),
        ({"keys": f"{server.url}/absent"}, "ResponseUnusable"),
        ({"keys": "https://a..b/keys"}, "UrlUntrusted"),
        ({"keys": f"https://{'a' * 64}.example.com/keys"}, "UrlUntrusted"),
        ({"keys": "https://[:::::]/keys"}, "UrlUntrusted"),
    ):
        publish(**changes)
        now += 300
        assert await cache.find(issuer, "rsa") is not None, "the last good keys stay"
        assert told[-1].reason == reason


async def test_a_replaced_authority_is_trusted_without_a_restart(server, authority, tmp_path):
    other = CertificateAuthority(tmp_path / "other", "ca")
    file = tmp_path / "ca.crt"
    file.write_bytes(other.files.certificate.read_bytes())
    async with SafeHttp(networks=LOOPBACK, ca_file=file) as http:
        with pytest.raises(UnreachableError, match="certificate"):
            await http.get(f"{server.url}/ok")
        file.write_bytes(authority.files.certificate.read_bytes())
        os.utime(file, (1, 1))
        assert await http.get(f"{server.url}/ok") == b"fine"
