"""What is published, given what an API server showed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.identity.jwks import PublicJwk
from kraut_oidc_proxy.document import DiscoveryError, IssuerMismatchError, build_documents, check_discovery

ISSUER = "https://oidc.east.example.com"
KEYS = [
    PublicJwk("b", "RSA", "RS256", (("n", "1"), ("e", "AQAB"))),
    PublicJwk("a", "EC", "ES256", (("crv", "P-256"), ("x", "1"), ("y", "2"))),
    PublicJwk("c", "RSA", "RS256", (("n", "3"), ("e", "AQAB"))),
]


def discovery(issuer):
    return json.dumps({"issuer": issuer, "jwks_uri": "https://10.0.0.1:6443/openid/v1/jwks"}).encode()


def test_the_same_issuer_passes():
    check_discovery(discovery(ISSUER), ISSUER)


@pytest.mark.parametrize(
    "found",
    [
        f"{ISSUER}/",
        f"{ISSUER}:443",
        ISSUER.upper(),
        ISSUER.replace("https", "http"),
        ISSUER.replace("east", "e\u0430st"),
        f"{ISSUER} ",
        ISSUER.replace(".", "%2e"),
        "",
        "https://kubernetes.default.svc.cluster.local",
    ],
)
def test_an_issuer_is_compared_byte_for_byte(found):
    with pytest.raises(IssuerMismatchError, match="service-account-issuer"):
        check_discovery(discovery(found), ISSUER)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b"[]", b'{"issuer":1}', b'{"issuer":"a","issuer":"b"}', b"", b"\xff"]
)
def test_garbage_is_no_issuer(body):
    with pytest.raises(DiscoveryError):
        check_discovery(body, ISSUER)


def test_the_documents_are_built_and_not_passed_on():
    published = build_documents(ISSUER, "https://keys.example.com/jwks", KEYS)
    assert json.loads(published.discovery.body) == {
        "issuer": ISSUER,
        "jwks_uri": "https://keys.example.com/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    }
    assert [key["kid"] for key in json.loads(published.jwks.body)["keys"]] == ["a", "b", "c"]


@given(st.permutations(KEYS))
def test_the_same_keys_give_the_same_bytes_and_tags(keys):
    assert build_documents(ISSUER, ISSUER, keys) == build_documents(ISSUER, ISSUER, KEYS)


def test_other_keys_give_another_tag():
    assert build_documents(ISSUER, ISSUER, KEYS[:1]).jwks.etag != build_documents(ISSUER, ISSUER, KEYS).jwks.etag
