"""The judge's rules about keys and how long they are kept (pure)."""

import re
from collections.abc import Iterator
from typing import Final

from kraut_cli.oidc.findings import Finding, ok, problem, unknown, warning
from kraut_cli.oidc.observations import Observations
from kraut_core.identity.adapters.http import Answer
from kraut_core.identity.jwks import JwksError, PublicJwk, parse_jwks

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,9})")
LONG_SECONDS: Final = 3600


def judge_keys(seen: Observations) -> Iterator[Finding]:
    """Key set, key ids, algorithms, max-age."""
    answer = seen.published.jwks
    if answer is None:
        if seen.published.jwks_uri is not None:
            yield problem(
                "keys", str(seen.published.error), "relying parties fetch jwks_uri as it is written: publish it there"
            )
        return
    if answer.status != 200:
        yield problem(
            "keys",
            f"{seen.published.jwks_uri} should be answered with 200, it was with {answer.status}",
            "route it to kraut-oidc-proxy",
        )
        return
    try:
        keys = parse_jwks(answer.body)
    except JwksError as error:
        yield problem("keys", str(error), "publish public keys only, and replace keys whose private part was public")
        return
    yield from _key_ids(seen, {key.kid for key in keys})
    yield from _algorithms(seen, keys)
    yield from _max_age(seen, answer)


def _key_ids(seen: Observations, published: set[str]) -> Iterator[Finding]:
    signing = seen.live.token.key_id if seen.live and seen.live.token else None
    known = seen.source.keys if seen.source else None
    if signing is not None and signing not in published:
        yield problem(
            "keys",
            f"key {signing} signs and is not published",
            "publish a key before it signs: the proxy reads its API servers every 30 s (KRAUT_OIDC_API_SERVERS names all of them)",
        )
    elif known is not None and (missing := sorted(known - published)):
        yield warning(
            "keys",
            f"not published yet: {', '.join(missing)}",
            "wait for the proxy's next read (30 s) before anything signs with it",
        )
    elif known is not None and (extra := sorted(published - known)):
        yield warning(
            "keys",
            f"published, and not known to the API server that answered: {', '.join(extra)}",
            "right during a rotation; a removed key is withdrawn 120 s after the last API server let it go",
        )
    elif signing is None and known is None:
        yield unknown("keys", f"{len(published)} published; whether they are those that sign was not seen")
    else:
        yield ok(
            "keys",
            f"{len(published)} published, that of a live token among them"
            if signing
            else f"{len(published)} published, as the API server has them",
        )


def _algorithms(seen: Observations, keys: tuple[PublicJwk, ...]) -> Iterator[Finding]:
    signed = seen.live.token.algorithm if seen.live and seen.live.token else None
    found = sorted({key.alg for key in keys})
    if signed is not None and signed not in found:
        yield problem(
            "algorithms",
            f"a live token is signed with {signed}, the keys are for {', '.join(found)}",
            "`alg` of a key must be that of its tokens",
        )
    elif unusual := [algorithm for algorithm in found if not algorithm.startswith(("RS", "ES", "PS"))]:
        yield problem(
            "algorithms",
            f"{', '.join(unusual)}: kube-apiserver does not accept such tokens",
            "sign service account tokens with RSA",
        )
    elif narrow := [algorithm for algorithm in found if algorithm != "RS256"]:
        yield warning(
            "algorithms",
            f"{', '.join(narrow)}: fine between clusters; some cloud providers take RS256 only",
            "sign with RSA where a cloud's STS is a relying party",
        )
    else:
        yield ok("algorithms", "RS256, which everybody takes")


def _max_age(seen: Observations, answer: Answer) -> Iterator[Finding]:
    match = _MAX_AGE.search(answer.headers.get("Cache-Control", ""))
    claims = seen.live.token.claims if seen.live and seen.live.token else {}
    expires, issued = claims.get("exp"), claims.get("iat")
    lifetime = expires - issued if isinstance(expires, int) and isinstance(issued, int) else None
    if match is None:
        yield warning(
            "max-age",
            "the keys have no Cache-Control: max-age",
            "relying parties then guess, some for days: kraut-oidc-proxy says 300 s",
        )
        return
    seconds = int(match[1])
    if lifetime is not None and seconds >= lifetime:
        yield warning(
            "max-age",
            f"keys are kept for {seconds} s, longer than a token lives ({lifetime} s): the first tokens of a new key expire before others know it",
            "lower KRAUT_OIDC_MAX_AGE_SECONDS, or publish a new key that long before it signs",
        )
    elif seconds >= LONG_SECONDS:
        yield warning(
            "max-age",
            f"keys are kept for {seconds} s",
            "a new key must be public that long before it signs: kraut-oidc-proxy says 300 s",
        )
    else:
        lives = f", a token lives {lifetime} s" if lifetime is not None else ""
        yield ok("max-age", f"keys are kept for {seconds} s{lives}; a new key must be public that long before it signs")
