"""An exchange and its client as settings describe them: one reading for Clusters and for the options of a command (pure).

Words are taken as OAuth writes them (``id_token``, ``client_secret_basic``, ``jwt-bearer``) and as Kubernetes does (``IDToken``,
``ClientSecretBasic``, ``JWTBearer``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.clientauth import ClientAuthentication, Method
from kraut_core.identity.exchange import ACCESS_TOKEN, ID_TOKEN, JWT, Exchange, Grant
from kraut_core.identity.sources import TokenSource

Word = TypeVar("Word", bound=str)

TOKEN_TYPES: Final[Mapping[str, str]] = {"jwt": JWT, "id_token": ID_TOKEN, "access_token": ACCESS_TOKEN}
"""Token types by the last part of their URN (RFC 8693 section 3)."""
GRANTS: Final[Mapping[str, Grant]] = {grant: grant for grant in ("token-exchange", "jwt-bearer", "client-credentials")}
METHODS: Final[Mapping[str, Method]] = {
    method: method
    for method in ("none", "client_secret_basic", "client_secret_post", "private_key_jwt", "service_account")
}


def describe_exchange(
    *,
    token_endpoint: str,
    subject_audience: str,
    grant: str = "token-exchange",
    subject_token_type: str = "jwt",  # noqa: S107 - the name of a type
    requested_token_type: str | None = None,
    send_audience: bool = True,
    resource: str | None = None,
    scope: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
) -> Exchange:
    """The exchange of these words. Raises InvalidSpecError for a word or an endpoint that cannot be."""
    return Exchange(
        token_endpoint=token_endpoint,
        subject_audience=subject_audience,
        grant=_named(GRANTS, grant, "grant"),
        subject_token_type=_named(TOKEN_TYPES, subject_token_type, "token type"),
        requested_token_type=_named(TOKEN_TYPES, requested_token_type, "token type") if requested_token_type else None,
        send_audience=send_audience,
        resource=resource,
        scope=tuple(scope),
        extra=dict(parameters or {}),
    )


def describe_client(
    exchange: Exchange,
    subject: TokenSource,
    *,
    method: str = "none",
    client_id: str = "",
    secret: str = "",
    secret_file: Path | None = None,
    key_file: Path | None = None,
    key_id: str | None = None,
    algorithm: str = "RS256",
) -> ClientAuthentication:
    """The client that asks for ``exchange``; by ``service_account`` the subject's own token is its assertion, for the audience
    that the provider wants of subjects. Raises InvalidSpecError for a word that cannot be, or when what the method needs is absent.
    """
    chosen = _named(METHODS, method, "client authentication")
    if exchange.grant == "client-credentials" and chosen == "none":
        raise InvalidSpecError(
            "with client credentials the client itself acts, so it must show who it is (RFC 6749 section 4.4): name another client authentication than none"
        )
    by_subject = chosen == "service_account"
    return ClientAuthentication(
        method=chosen,
        client_id=client_id,
        secret=secret,
        secret_file=secret_file,
        key_file=key_file,
        key_id=key_id,
        algorithm=algorithm,
        source=subject if by_subject else None,
        audience=exchange.subject_audience if by_subject else None,
    )


def _named(words: Mapping[str, Word], word: str, what: str) -> Word:
    for known, meant in words.items():
        if _bare(known) == _bare(word):
            return meant
    raise InvalidSpecError(f"{what} {word!r} should be one of {', '.join(words)}")


def _bare(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
