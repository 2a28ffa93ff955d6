"""Which issuers can be published, and where."""

import pytest

from kraut_core.settings import SettingsError, load_settings
from kraut_oidc_proxy.issuers import check_issuer, check_prefixes, make_issuer, parse_issuers, parse_servers
from kraut_oidc_proxy.process import find_issuers
from kraut_oidc_proxy.settings import OidcProxyProcessSettings


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("https://oidc.example.com", ""),
        ("https://oidc.example.com/", ""),
        ("https://oidc.example.com:8443/east", "/east"),
        ("https://oidc.example.com/clusters/east/", "/clusters/east"),
        ("https://127.0.0.1:6443", ""),
        ("https://[::1]:6443/a", "/a"),
    ],
)
def test_an_issuer_is_taken_as_it_is(url, prefix):
    issuer = make_issuer(url)
    assert (issuer.url, issuer.prefix) == (url, prefix)
    assert issuer.jwks_uri == url.removesuffix("/") + "/openid/v1/jwks"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "oidc.example.com",
        "http://oidc.example.com",
        "HTTPS://oidc.example.com",
        "https://",
        "https:///east",
        "https://user@oidc.example.com",
        "https://user:secret@oidc.example.com",
        "https://oidc.example.com?a=b",
        "https://oidc.example.com#",
        "https://oidc.example.com/#a",
        "https://oidc.example.com/a//b",
        "https://oidc.example.com/../b",
        "https://oidc.example.com/a/./b",
        "https://oidc.example.com/%2e",
        "https://oidc.example.com/a b",
        "https://oidc.example.com/a;b",
        "https://oidc.example.com\n",
        "https://oidc.ex\u0430mple.com",
        " https://oidc.example.com",
        "https://oidc.example.com:port",
        "https://oidc.example.com\\evil.example.com",
        # What nobody who verifies tokens by kraut's rules could trust (kraut_core.identity.urls).
        "https://OIDC.example.com",
        "https://[FD00::1]:6443",
        "https://oidc..example.com",
        "https://-oidc.example.com",
        "https://oidc.example.com:0",
        "https://oidc.example.com:70000",
        "https://10.0.1",
        "https://[::1::1]",
        f"https://{'a' * 64}.example.com",
    ],
)
def test_a_url_that_kube_apiserver_or_a_person_reads_otherwise_is_refused(url):
    with pytest.raises(ValueError, match="service-account-issuer"):
        check_issuer(url)


def test_servers_are_hosts_over_https():
    assert parse_servers(" https://10.0.0.1:6443/, https://[fd00::1]:6443") == (
        "https://10.0.0.1:6443",
        "https://[fd00::1]:6443",
    )
    for wrong in ("http://10.0.0.1:6443", "10.0.0.1:6443", "https://a/b", "https://user@a"):
        with pytest.raises(ValueError, match="https://host:port"):
            parse_servers(wrong)


def test_further_issuers_come_from_a_file(tmp_path, monkeypatch):
    file = tmp_path / "issuers.yaml"
    file.write_text(
        "- {issuer: https://oidc.example.com/west, kubeconfig: /west, context: w, apiServers: ['https://a:1', 'https://b:1']}"
    )
    monkeypatch.setenv("KRAUT_OIDC_ISSUER", "https://oidc.example.com/east")
    monkeypatch.setenv("KRAUT_OIDC_ISSUERS_FILE", str(file))
    east, west = find_issuers(load_settings(OidcProxyProcessSettings))
    assert (east.prefix, west.prefix, west.kubeconfig, west.context) == ("/east", "/west", "/west", "w")
    assert west.api_servers == ("https://a:1", "https://b:1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not YAML"),
        ("a: 1", "list is expected"),
        ("- 1", "each entry"),
        ("- {issuer: https://a.example.com}", "kubeconfig"),
        ("- {issuer: https://a.example.com, kubeconfig: /a, kubeConfig: /b}", "each entry"),
        ("- {issuer: http://a.example.com, kubeconfig: /a}", "should be https"),
        ("- {issuer: https://a.example.com, kubeconfig: /a, jwksUri: 'http://b'}", "should be https"),
        ("- {issuer: https://a.example.com, kubeconfig: /a, apiServers: [b]}", "https://host:port"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_a_sentence(text, words):
    with pytest.raises(SettingsError, match=words):
        parse_issuers(text)


def test_two_issuers_at_one_path_are_refused_since_the_host_decides_nothing():
    with pytest.raises(SettingsError, match="two issuers"):
        check_prefixes([make_issuer("https://a.example.com/x"), make_issuer("https://b.example.com/x/")])


def test_the_issuer_is_the_one_required_setting(monkeypatch):
    with pytest.raises(SettingsError, match="KRAUT_OIDC_ISSUER must be set"):
        load_settings(OidcProxyProcessSettings)
    monkeypatch.setenv("KRAUT_OIDC_ISSUER", "https://oidc.example.com")
    settings = load_settings(OidcProxyProcessSettings)
    assert (settings.oidc.poll_seconds, settings.oidc.max_age_seconds, settings.oidc.max_stale_seconds) == (
        30,
        300,
        86_400,
    )
    [issuer] = find_issuers(settings)
    assert (issuer.kubeconfig, issuer.api_servers) == (None, ())


def test_a_certificate_needs_its_key(monkeypatch):
    monkeypatch.setenv("KRAUT_OIDC_ISSUER", "https://oidc.example.com")
    monkeypatch.setenv("KRAUT_TLS_CERT_FILE", "/tls.crt")
    with pytest.raises(SettingsError, match="KRAUT_TLS_KEY_FILE"):
        load_settings(OidcProxyProcessSettings)
