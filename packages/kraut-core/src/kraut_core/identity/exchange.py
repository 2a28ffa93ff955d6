"""Exchanging a token for one that another party accepts: what is asked, and what an answer means (pure).

RFC 8693 (token exchange), RFC 7523 section 2.1 (JWT bearer grant), and RFC 6749 section 4.4 (client credentials), where the
service account is itself a client whose token is its assertion. Providers differ: Dex wants ``connector_id`` and subject type
``id_token`` and puts an ID token into ``access_token``; Keycloak takes foreign tokens as assertions, of a client or as a grant.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote, quote_plus

from kraut_core.errors import InvalidSpecError, KrautError
from kraut_core.identity.compact import audiences, expiry
from kraut_core.identity.errors import ExchangeRefusedError, ExchangeUnavailableError, UntrustedUrlError
from kraut_core.identity.sources import Token, check_token_value
from kraut_core.identity.strictjson import parse_object
from kraut_core.identity.urls import check_url
from kraut_core.redaction import redact_text

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - names of grants and types
CLIENT_CREDENTIALS: Final = "client_credentials"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_TOKEN: Final = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"

Grant = Literal["token-exchange", "jwt-bearer", "client-credentials"]

MAX_DESCRIPTION_CHARACTERS: Final = 300
MAX_LIFETIME_SECONDS: Final = 366 * 86_400
"""No answer is believed for longer."""
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_CODE: Final = re.compile(r"[a-z_]{1,64}")
_RESERVED: Final = frozenset(
    {
        "grant_type",
        "subject_token",
        "assertion",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    }
)

REASONS: Final[Mapping[str, str]] = {
    "invalid_client": "ExchangeClientRefused",
    "unauthorized_client": "ExchangeClientRefused",
    "invalid_grant": "ExchangeSubjectRefused",
    "invalid_token": "ExchangeSubjectRefused",
    "invalid_target": "ExchangeTargetRefused",
    "invalid_scope": "ExchangeScopeRefused",
    "access_denied": "ExchangeDenied",
    "unsupported_grant_type": "ExchangeUnsupported",
    "request_not_supported": "ExchangeUnsupported",  # Dex's own
    "invalid_request": "ExchangeRequestInvalid",
}
"""The condition's reason by OAuth's error (RFC 6749 section 5.2, RFC 8693 section 2.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One provider and what to ask it for. ``subject_audience`` is the audience that the subject token must have there;
    ``send_audience``: whether the wanted audience is asked for (RFC 8693 ``audience``), or follows from the client.
    """

    token_endpoint: str
    subject_audience: str
    grant: Grant = "token-exchange"
    subject_token_type: str = JWT
    requested_token_type: str | None = None
    send_audience: bool = True
    resource: str | None = None
    scope: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InvalidSpecError for an endpoint that cannot be, or parameters that are not free to choose."""
        try:
            check_url(self.token_endpoint)
        except UntrustedUrlError as error:
            raise InvalidSpecError(f"token endpoint {self.token_endpoint!r}: {error}") from None
        if taken := _RESERVED & set(self.extra):
            raise InvalidSpecError(f"extra parameters cannot be {', '.join(sorted(taken))}: kraut sets these itself")


def dex_exchange(
    token_endpoint: str, *, connector_id: str, subject_audience: str, scope: tuple[str, ...] = ("openid",)
) -> Exchange:
    """What Dex wants: a connector of type ``oidc`` that trusts the subject's issuer; the answer is an ID token for the client."""
    return Exchange(
        token_endpoint=token_endpoint,
        subject_audience=subject_audience,
        subject_token_type=ID_TOKEN,
        requested_token_type=ID_TOKEN,
        send_audience=False,
        scope=scope,
        extra={"connector_id": connector_id},
    )


def build_form(exchange: Exchange, subject: str, audience: str) -> list[tuple[str, str]]:
    """The parameters of the request for a token for ``audience``, without client authentication."""
    if exchange.grant == "client-credentials":
        form = [("grant_type", CLIENT_CREDENTIALS)]
    elif exchange.grant == "jwt-bearer":
        form = [("grant_type", JWT_BEARER), ("assertion", subject)]
    else:
        form = [
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", subject),
            ("subject_token_type", exchange.subject_token_type),
        ]
    optional = {
        "requested_token_type": exchange.requested_token_type if exchange.grant == "token-exchange" else None,
        "audience": audience if exchange.send_audience else None,
        "resource": exchange.resource,
        "scope": " ".join(exchange.scope) or None,
    }
    return [*form, *((name, value) for name, value in optional.items() if value), *exchange.extra.items()]


def parse_answer(
    exchange: Exchange,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    audience: str,
    secrets: tuple[str, ...],
    now: float,
) -> Token:
    """The token of an answer. ``secrets`` are blanked in what the provider says, should it repeat them.

    Raises ExchangeRefusedError (4xx, or an answer that is none) or ExchangeUnavailableError (408, 429, 5xx).
    """
    where = exchange.token_endpoint
    if status in (408, 429) or status >= 500:
        after = headers.get("Retry-After", "")
        raise ExchangeUnavailableError(
            f"{where} answered {status}; it may work later",
            retry_after_seconds=int(after) if _SECONDS.fullmatch(after) else None,
        )
    if status != 200:
        raise _refusal(where, status, body, secrets)
    try:
        document = parse_object(body, "the answer")
        value = check_token_value(document.get("access_token"))
    except ValueError as error:
        raise ExchangeRefusedError(
            f"{where} answered 200 without a token: {error}", reason="ExchangeAnswerInvalid"
        ) from None
    _check_types(exchange, document)
    _check_audience(exchange, value, audience)
    return Token(value, _expires_at(document, value, now))


def _refusal(where: str, status: int, body: bytes, secrets: tuple[str, ...]) -> KrautError:
    code, description = "", ""
    try:
        document = parse_object(body, "the answer")
    except ValueError:
        document = {}
    if isinstance(document.get("error"), str) and _CODE.fullmatch(document["error"]):
        code = document["error"]
        # A provider that repeats the request repeats it as it was sent: form-encoded.
        known = (form for secret in secrets for form in (secret, quote_plus(secret), quote(secret, safe="")))
        description = redact_text(str(document.get("error_description", "")), known=known)
        description = "".join(character for character in description if character.isprintable())
    text = f"{where} refused the exchange with {status} {code}: {description[:MAX_DESCRIPTION_CHARACTERS]}".rstrip(": ")
    return ExchangeRefusedError(text, code=code, reason=REASONS.get(code))


def _check_types(exchange: Exchange, document: Mapping[str, Any]) -> None:
    kind, issued = str(document.get("token_type", "")).lower(), document.get("issued_token_type")
    if kind not in ("bearer", "n_a"):
        raise ExchangeRefusedError(
            f"{exchange.token_endpoint} should answer with a bearer token, it answered with another type; ask for another",
            reason="ExchangeAnswerInvalid",
        )
    if exchange.requested_token_type and issued is not None and issued != exchange.requested_token_type:
        raise ExchangeRefusedError(
            f"{exchange.token_endpoint} should issue {exchange.requested_token_type}, it issued another type",
            reason="ExchangeAnswerInvalid",
        )


def _check_audience(exchange: Exchange, value: str, audience: str) -> None:
    """Of a JWT; what is opaque is the target's to judge. A token for somebody else shall not be sent anywhere."""
    found = audiences(value)
    if found is not None and audience not in found:
        raise ExchangeRefusedError(
            f"{exchange.token_endpoint} should issue a token for {audience}, it issued one for somebody else; use the client or parameters of that audience",
            reason="ExchangeTargetRefused",
        )


def _expires_at(document: Mapping[str, Any], value: str, now: float) -> float:
    """The sooner of what the answer and the token say; now, which is never cached, when neither says anything."""
    seconds, exp = document.get("expires_in"), expiry(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        return now if exp is None else float(exp)
    latest = now + min(seconds, MAX_LIFETIME_SECONDS)
    return latest if exp is None else min(latest, float(exp))
