"""From what was seen of an issuer to findings, case by case."""

import json
from datetime import UTC, datetime

import pytest

from kraut_cli.oidc.findings import problems, render
from kraut_cli.oidc.judge import judge
from kraut_cli.oidc.observations import LiveToken, Observations, Presented, Source
from kraut_core.errors import ForbiddenError, UnreachableError
from kraut_core.identity.adapters.http import Answer
from kraut_core.identity.adapters.published import Published
from kraut_core.identity.compact import UnverifiedToken
from kraut_core.identity.errors import IssuerDocumentError, TokenRefusedError, UntrustedUrlError

ISSUER = "https://oidc.east.example.com"
NOW = 1_800_000_000
EC = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": "A" * 42 + "E", "y": "A" * 42 + "E"}


def rsa(kid):
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": "gA" + "A" * 338 + "AQ", "e": "AQAB"}


def jwks(*keys, cache="public, max-age=300"):
    return Answer(200, {"Cache-Control": cache} if cache else {}, json.dumps({"keys": list(keys)}).encode())


def token(*, issuer=ISSUER, kid="k1", algorithm="RS256", iat=NOW, exp=NOW + 3600):
    return UnverifiedToken("x", algorithm, kid, "JWT", issuer, {"iss": issuer, "iat": iat, "exp": exp})


def seen(**changes):
    published = {
        "document": Answer(200, {}, b"{}"),
        "jwks_uri": f"{ISSUER}/openid/v1/jwks",
        "jwks": jwks(rsa("k1")),
        "not_after": datetime.fromtimestamp(NOW + 90 * 86_400, UTC),
    }
    published |= {
        name: changes.pop(name) for name in ("document", "jwks_uri", "jwks", "not_after", "error") if name in changes
    }
    whole = {"source": Source(ISSUER, frozenset({"k1"})), "live": LiveToken(token(), received_at=NOW)} | changes
    return Observations(ISSUER, NOW, Published(**published), **whole)


def test_all_is_well():
    findings = judge(
        seen(targets=(Presented("west", "kraut:east:x", ("kraut:east",)),), provider=Presented("https://dex"))
    )
    assert {finding.level for finding in findings} == {"ok"}
    assert [finding.check for finding in findings] == [
        *("reachable", "certificate", "issuer", "keys", "algorithms", "max-age", "clock", "token", "provider", "target")
    ]


CASES = [
    ("reachable", "problem", {"document": None, "not_after": None, "jwks": None, "jwks_uri": None, "error": UnreachableError("no answer")}, "DNS"),
    ("reachable", "problem", {"document": None, "jwks": None, "jwks_uri": None, "error": UntrustedUrlError("loopback")}, "--allow-network"),
    ("reachable", "problem", {"document": Answer(403, {}, b""), "jwks": None, "jwks_uri": None}, "kraut-oidc-proxy instead"),
    ("reachable", "problem", {"document": Answer(503, {}, b""), "jwks": None, "jwks_uri": None}, "readyz"),
    ("certificate", "warning", {"not_after": datetime.fromtimestamp(NOW + 3 * 86_400, UTC)}, "renew"),
    ("issuer", "problem", {"jwks": None, "jwks_uri": None, "error": IssuerDocumentError("another one")}, "KRAUT_OIDC_ISSUER"),
    ("issuer", "problem", {"source": Source("https://kubernetes.default.svc")}, "docs/identity.md"),
    ("issuer", "problem", {"source": None, "live": LiveToken(token(issuer=f"{ISSUER}/"))}, "last slash"),
    ("issuer", "unknown", {"source": None, "live": None}, "--service-account"),
    ("keys", "problem", {"jwks": None, "error": UnreachableError("gone")}, "as it is written"),
    ("keys", "problem", {"jwks": Answer(404, {}, b"")}, "route"),
    ("keys", "problem", {"jwks": jwks({"kty": "oct", "k": "AAAA", "kid": "k1"})}, "replace keys"),
    ("keys", "problem", {"live": LiveToken(token(kid="k2"))}, "before it signs"),
    ("keys", "warning", {"source": Source(ISSUER, frozenset({"k1", "k2"}))}, "next read"),
    ("keys", "warning", {"jwks": jwks(rsa("k1"), rsa("k0"))}, "during a rotation"),
    ("algorithms", "problem", {"live": LiveToken(token(algorithm="ES256"))}, "`alg`"),
    ("algorithms", "problem", {"jwks": jwks({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "A" * 43}), "live": None}, "RSA"),
    ("algorithms", "warning", {"jwks": jwks({**rsa("k1"), "alg": "PS256"}), "live": None}, "cloud"),
    ("algorithms", "warning", {"jwks": jwks({**EC, "kid": "k1"}), "live": LiveToken(token(algorithm="ES256"))}, "cloud"),
    ("max-age", "warning", {"jwks": jwks(rsa("k1"), cache="")}, "300 s"),
    ("max-age", "warning", {"jwks": jwks(rsa("k1"), cache="max-age=900"), "live": LiveToken(token(exp=NOW + 600))}, "KRAUT_OIDC_MAX_AGE_SECONDS"),
    ("max-age", "warning", {"jwks": jwks(rsa("k1"), cache="public, max-age=3600"), "live": None}, "before it signs"),
    ("clock", "problem", {"live": LiveToken(token(iat=NOW - 100), received_at=NOW)}, "NTP"),
    ("clock", "warning", {"live": LiveToken(token(iat=NOW + 30), received_at=NOW)}, "NTP"),
    ("token", "unknown", {"live": LiveToken(error=ForbiddenError("no"))}, "--service-account"),
    ("token", "problem", {"live": LiveToken(token(), refused=TokenRefusedError("signature"))}, "keys above"),
    ("provider", "problem", {"provider": Presented("https://dex", error=UnreachableError("gone"))}, "recipes"),
    ("target", "problem", {"targets": (Presented("west", error=ForbiddenError("401", status=401)),)}, "AuthenticationConfiguration"),
    ("target", "problem", {"targets": (Presented("west", "system:admin"),)}, "prefix"),
    ("target", "problem", {"targets": (Presented("west", "kraut:x", ("system:masters",)),)}, "prefix"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "level", "changes", "advice"), CASES)
def test_each_rule(check, level, changes, advice):
    findings = judge(seen(**changes))
    [found] = [finding for finding in findings if finding.check == check]
    assert found.level == level
    assert advice in found.advice
    assert bool(problems(findings)) == (level == "problem")


def test_the_date_of_an_answer_is_a_clock_too():
    late = Answer(200, {"Date": "Fri, 15 Jan 2027 07:00:00 GMT"}, b"{}")
    assert [finding.level for finding in judge(seen(document=late)) if finding.check == "clock"] == ["problem", "ok"]


@pytest.mark.parametrize(
    "date", ["yesterday", "", " ", "0", "Fri, 31 Dec 99999 23:59:59 GMT", "\u0663", "Fri, 15 Jan 2027"]
)
def test_a_date_that_is_none_is_a_finding(date):
    findings = judge(seen(document=Answer(200, {"Date": date}, b"{}")))
    assert [finding.level for finding in findings if finding.check == "clock"] == (["warning"] if date else []) + ["ok"]


def test_times_that_no_clock_has_are_findings():
    far = judge(seen(live=LiveToken(token(iat=10**400, exp=10**400 + 60), received_at=NOW)))
    assert [finding.level for finding in far if finding.check == "clock"] == ["problem"]
    kept = judge(seen(jwks=jwks(rsa("k1"), cache=f"max-age={'9' * 5000}")))
    assert [finding.level for finding in kept if finding.check == "max-age"] == ["warning"]


def test_what_is_found_is_shown_with_what_to_do():
    text = render(ISSUER, judge(seen(source=None, live=LiveToken(token(issuer="https://e\x1b[2J")))))
    assert text.startswith(f"{ISSUER}\n  ok    reachable ")
    assert "\n  FAIL  issuer " in text
    assert "-> make both the same" in text
    assert "\x1b" not in text


def test_a_token_out_of_a_file_tells_no_time():
    live = LiveToken(token(iat=NOW - 1800))
    assert [finding for finding in judge(seen(live=live)) if finding.check == "clock"] == []
