"""Statement 5: which URLs and addresses may be asked."""

import re
from contextlib import nullcontext
from ipaddress import ip_network

import pytest

from kraut_core.api.v1alpha1.cluster import HTTPS_PATTERN
from kraut_core.identity.discovery import parse_discovery
from kraut_core.identity.errors import IssuerDocumentError, UntrustedUrlError
from kraut_core.identity.urls import check_address, check_url, next_url


@pytest.mark.parametrize(
    "url",
    [
        "https://oidc.example.com",
        "https://oidc.example.com/",
        "https://oidc.example.com:8443/a/b.c/~d",
        "https://xn--bcher-kva.example.com/",
        "https://10.0.0.1:6443/openid/v1/jwks",
        "https://[fd00::1]:6443/",
        "https://[64:ff9b::192.0.2.33]/",
        "https://" + "a" * 63 + ".example.com",
        "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/jwks",
    ],
)
def test_a_plain_https_url_is_asked(url):
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://oidc.example.com",
        "HTTPS://oidc.example.com",
        "file:///etc/passwd",
        "gopher://oidc.example.com",
        "//oidc.example.com",
        "https://",
        "https:///path",
        "https://user@oidc.example.com",
        "https://user:pw@oidc.example.com",
        "https://oidc.example.com@evil.example.com",
        "https://oidc.example.com\\@evil.example.com",
        "https://oidc.example.com?x=1",
        "https://oidc.example.com/?",
        "https://oidc.example.com/#",
        "https://oidc.example.com/#a",
        "https://oidc.example.com/a/../b",
        "https://oidc.example.com/..",
        "https://oidc.example.com/%2e%2e/b",
        "https://oidc.example.com/a%2Fb",
        "https://oidc.example.com/a%5cb",
        "https://oidc.example.com/a%00b",
        "https://oidc.example.com/a\tb",
        "https://oidc.example.com/a\nb",
        "https://oidc.example.com/a b",
        "https://oidc.exampl\u0435.com",
        "https://OIDC.example.com",
        "https://oidc.example.com:0",
        "https://oidc.example.com:65536",
        "https://oidc.example.com:a",
        "https://-a.example.com",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://[::1",
        "https://[:::::]",
        "https://[1.2.3.4]",
        "https://[fd00::1::2]",
        "https://[fd00::12345]",
        "https://a..b",
        "https://a.-b",
        "https://a-.b",
        "https://" + "a" * 64 + ".example.com",
        "https://example." + "a" * 64,
        "https://" + "a" * 260 + ".com",
        "https://a.example.com/" + "a" * 2048,
    ],
)
def test_everything_else_is_not(url):
    with pytest.raises(UntrustedUrlError):
        check_url(url)


@pytest.mark.parametrize(
    ("host", "possible"),
    [
        ("a.example.com", True),
        ("a" * 63 + ".example.com", True),
        ("10.0.0.1", True),
        ("[fd00::1]", True),
        ("[::1]", True),
        ("[1:2:3:4:5:6:7:8]", True),
        ("a..b", False),
        ("a" * 64 + ".example.com", False),
        ("a-.example.com", False),
        ("[:::::]", False),
        ("[1:2:3]", False),
        ("[fd00::1::2]", False),
        ("[fd00::12345]", False),
        ("[1.2.3.4]", False),
        ("[]", False),
    ],
)
def test_a_cluster_can_name_the_hosts_that_can_be_asked(host, possible):
    url = f"https://{host}:6443/a"
    assert bool(re.search(HTTPS_PATTERN, url)) is possible
    with nullcontext() if possible else pytest.raises(UntrustedUrlError):
        check_url(url)


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("/b", "https://a.example.com/b"),
        ("https://b.example.com/c", "https://b.example.com/c"),
        ("b", "https://a.example.com/x/b"),
    ],
)
def test_a_redirect_is_followed_to_a_good_place(location, leads):
    assert next_url("https://a.example.com/x/a", location) == leads


@pytest.mark.parametrize(
    "location",
    [
        "http://a.example.com/",
        "//evil.example.com/a?b",
        "file:///etc",
        "https://u@b/",
        "?x",
        "#x",
        "https://[:::::]",
        "https://[",
        "https://a..b",
        "//\u2100.example.com",
    ],
)
def test_a_redirect_elsewhere_is_not(location):
    with pytest.raises(UntrustedUrlError):
        next_url("https://a.example.com/x", location)


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.10",
        "2606:2800::1",
        "fd00::1",
        "2001:db8::1",
    ],
)
def test_public_and_private_addresses_are_fine(address):
    check_address(address)


BLOCKED = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "::127.0.0.1",
    "::169.254.169.254",
    "::10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:ffff::7f00:1",
    "2001:0:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]


@pytest.mark.parametrize("address", BLOCKED)
def test_the_machine_its_link_and_metadata_services_are_not(address):
    with pytest.raises(UntrustedUrlError):
        check_address(address)


def test_a_network_can_be_allowed_for_an_issuer():
    check_address("127.0.0.1", [ip_network("127.0.0.0/8")])
    check_address("::ffff:127.0.0.1", [ip_network("127.0.0.0/8")])
    with pytest.raises(UntrustedUrlError):
        check_address("169.254.169.254", [ip_network("127.0.0.0/8"), ip_network("::/0")])


ISSUER = "https://a.example.com"


def test_a_discovery_document_gives_two_urls():
    body = b'{"issuer":"https://a.example.com","jwks_uri":"https://b.example.com/k","token_endpoint":"https://a.example.com/t"}'
    found = parse_discovery(body, ISSUER)
    assert (found.jwks_uri, found.token_endpoint) == ("https://b.example.com/k", "https://a.example.com/t")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>", IssuerDocumentError),
        (b"{}", IssuerDocumentError),
        (b'{"issuer":"https://a.example.com/","jwks_uri":"https://a.example.com/k"}', IssuerDocumentError),
        (b'{"issuer":"https://a.example.com"}', IssuerDocumentError),
        (b'{"issuer":"https://a.example.com","jwks_uri":7}', IssuerDocumentError),
        (b'{"issuer":"https://a.example.com","jwks_uri":"http://a.example.com/k"}', UntrustedUrlError),
        (b'{"issuer":"https://a.example.com","jwks_uri":"https://u:p@a.example.com/k"}', UntrustedUrlError),
    ],
)
def test_a_document_of_another_issuer_or_with_odd_urls_is_refused(body, error):
    with pytest.raises(error):
        parse_discovery(body, ISSUER)
