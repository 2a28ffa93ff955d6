"""From observations to findings (pure). Each rule says what was expected, what was found, and what to do."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from kraut_cli.oidc.findings import Finding, ok, problem, unknown, warning
from kraut_cli.oidc.keys import judge_keys
from kraut_cli.oidc.observations import Observations, Presented
from kraut_core.identity.adapters.published import Published
from kraut_core.identity.compact import MAX_SECONDS
from kraut_core.identity.errors import UntrustedUrlError

CERTIFICATE_WARNING_DAYS: Final = 14
SKEW_PROBLEM_SECONDS: Final = 60
"""The leeway of kraut's own verification; others allow less."""
SKEW_WARNING_SECONDS: Final = 10


def judge(seen: Observations) -> Sequence[Finding]:
    """All findings, in the order in which one would look."""
    return [
        *_reachability(seen.published),
        *_certificate(seen),
        *_issuer(seen),
        *judge_keys(seen),
        *_clock(seen),
        *_token(seen),
        *_provider(seen.provider),
        *(finding for target in seen.targets for finding in _target(target)),
    ]


def _reachability(published: Published) -> Iterator[Finding]:
    if published.document is None:
        blocked = isinstance(published.error, UntrustedUrlError)
        advice = (
            "relying parties on the internet never reach such an address; if it is meant: --allow-network"
            if blocked
            else "open it for every relying party: DNS, firewall, certificate; --ca-file for an authority of your own"
        )
        yield problem("reachable", str(published.error), advice)
    elif published.document.status != 200:
        answer = f"the discovery document should be answered with 200, it was with {published.document.status}"
        yield problem(
            "reachable", answer, _ADVICE.get(published.document.status, "look at the log of what publishes it")
        )
    else:
        yield ok("reachable", "the discovery document is answered")


_ADVICE: Final = {
    401: "relying parties have no credentials: publish it with kraut-oidc-proxy instead of the API server itself",
    403: "relying parties have no credentials: publish it with kraut-oidc-proxy instead of the API server itself",
    404: "route <issuer>/.well-known/openid-configuration to kraut-oidc-proxy",
    503: "kraut-oidc-proxy has no keys to show: look at its log and its /readyz",
}


def _certificate(seen: Observations) -> Iterator[Finding]:
    if (end := seen.published.not_after) is None:
        return
    days = (end - datetime.fromtimestamp(seen.now, UTC)).days
    if days < CERTIFICATE_WARNING_DAYS:
        yield warning("certificate", f"trusted, and expires in {days} days ({end:%Y-%m-%d})", "renew it")
    else:
        yield ok("certificate", f"trusted, until {end:%Y-%m-%d}")


def _issuer(seen: Observations) -> Iterator[Finding]:
    published, source, live = seen.published, seen.source, seen.live
    if published.document is None or published.document.status != 200:
        return
    if published.jwks_uri is None:
        yield problem(
            "issuer", str(published.error), "set KRAUT_OIDC_ISSUER to exactly the URL under which it is published"
        )
        return
    if source and source.issuer is not None and source.issuer != seen.issuer:
        yield _other_issuer("the cluster's first --service-account-issuer", source.issuer, seen.issuer)
    elif live and live.token and live.token.issuer != seen.issuer:
        yield _other_issuer("`iss` of a live token", live.token.issuer, seen.issuer)
    elif live and live.token:
        yield ok("issuer", "document and a live token say the same, byte for byte")
    else:
        yield unknown("issuer", "the document names it; no live token was there to compare", _LIVE)


_LIVE: Final = "give --kubeconfig or --context of the cluster and --service-account, or --token-file"


def _other_issuer(what: str, found: str, wanted: str) -> Finding:
    return problem(
        "issuer",
        f"{what} should be {wanted}, it is {found}",
        "make both the same, to the last slash; docs/identity.md says how the issuer of a live cluster is changed",
    )


def _clock(seen: Observations) -> Iterator[Finding]:
    document, live = seen.published.document, seen.live
    skews: list[tuple[str, float]] = []
    if document is not None and (date := document.headers.get("Date")):
        try:
            skews.append(("the issuer's server", seen.now - parsedate_to_datetime(date).timestamp()))
        except (ValueError, TypeError, IndexError, OverflowError):
            text = "the issuer's server should say the time in its header Date (RFC 9110 section 5.6.7), it says something else"
            yield warning("clock", text, "see what answers there: a proxy that writes headers of its own?")
    if live and live.token and live.received_at and isinstance(issued := live.token.claims.get("iat"), int):
        skews.append(("the API server that signed", live.received_at - max(0, min(issued, MAX_SECONDS))))
    for who, skew in skews:
        # An answer's date and a token's `iat` are whole seconds, and getting them takes a while.
        text = f"{who} and this machine differ by {skew:.0f} s"
        if abs(skew) > SKEW_PROBLEM_SECONDS:
            yield problem("clock", text, "tokens will be refused as expired or not yet valid: run NTP on both")
        elif abs(skew) > SKEW_WARNING_SECONDS:
            yield warning("clock", text, "run NTP on both, before it becomes a minute")
        else:
            yield ok("clock", text)


def _token(seen: Observations) -> Iterator[Finding]:
    live = seen.live
    if live is None:
        return
    if live.error is not None or live.token is None:
        yield unknown("token", f"no live token: {live.error}", _LIVE)
        return
    if live.refused is not None:
        yield problem(
            "token",
            f"a live token does not verify: {live.refused}",
            "the keys that are published are not those that sign: see the keys above",
        )
    else:
        yield ok("token", "a live token verifies with what is published")


def _provider(provider: Presented | None) -> Iterator[Finding]:
    if provider is None:
        return
    if provider.error is not None:
        yield problem(
            "provider",
            str(provider.error),
            "the provider must trust the issuer and know the client: docs/identity.md has recipes",
        )
    else:
        yield ok("provider", f"{provider.where} exchanges a token of the issuer")


def _target(target: Presented) -> Iterator[Finding]:
    if target.error is not None:
        yield problem(
            "target",
            f"{target.where} refuses a live token: {target.error}",
            "its AuthenticationConfiguration must name the issuer and the audience; a new entry takes it up to 10 s; look for `oidc` in its kube-apiserver's log",
        )
    elif target.user.startswith("system:") or any(
        group.startswith("system:") and group != "system:authenticated" for group in target.groups
    ):
        yield problem(
            "target",
            f"{target.where} takes the bearer for {target.user} ({', '.join(target.groups)})",
            "add a prefix in claimMappings and a userValidationRule against system:",
        )
    else:
        yield ok("target", f"{target.where} takes the bearer for {target.user}")
