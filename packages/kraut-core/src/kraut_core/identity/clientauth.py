"""How a client shows who it is at a token endpoint: none, basic, post, private_key_jwt, or a service account token as assertion.

RFC 6749 section 2.3.1, RFC 7523 section 2.2. authlib writes the requests; secrets are files, read for every use.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, urlencode

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwk
from joserfc.errors import JoseError

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.errors import CredentialError
from kraut_core.identity.sources import TokenSource

ASSERTION_SECONDS: Final = 60
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Method = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt", "service_account"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthentication:
    """A client and its credential. ``secret_file`` is for basic and post, ``key_file`` (PEM, with ``algorithm`` and if the
    provider needs it ``key_id``) for private_key_jwt, ``source`` for service_account.

    ``audience`` is that of assertions; default the token endpoint.
    """

    method: Method = "none"
    client_id: str = ""
    secret_file: Path | None = None
    key_file: Path | None = None
    secret: str = field(default="", repr=False)
    """In place of either file: the client's secret or the PEM key itself, as read from a Secret."""
    key_id: str | None = None
    algorithm: str = "RS256"
    source: TokenSource | None = None
    audience: str | None = None

    def __post_init__(self) -> None:
        """Raises InvalidSpecError when what the method needs is not there."""
        needs = {
            "client_secret_basic": ("secret_file", self.secret_file or self.secret),
            "client_secret_post": ("secret_file", self.secret_file or self.secret),
            "private_key_jwt": ("key_file", self.key_file or self.secret),
            "service_account": ("source", self.source),
        }
        name, value = needs.get(self.method, ("", True))
        if not value or (self.method in needs and self.method != "service_account" and not self.client_id):
            raise InvalidSpecError(f"client authentication {self.method} needs client_id and {name}")

    async def authenticate(
        self, url: str, form: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, str], bytes, tuple[str, ...]]:
        """Headers and body of the request with the credential in it, and the secrets therein. Raises CredentialError."""
        if self.method == "service_account" and self.source is not None:
            token = (await self.source.token(self.audience or url)).value
            named = [("client_id", self.client_id)] if self.client_id else []
            added = [*named, ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", token)]
            return {}, urlencode([*form, *added]).encode(), (token,)
        secret = await asyncio.to_thread(self._read_secret)
        headers, body = self._prepare(url, urlencode(form), secret)
        return headers, body.encode(), (secret,) if secret else ()

    def _prepare(self, url: str, body: str, secret: str) -> tuple[dict[str, str], str]:
        if self.method == "none" and not self.client_id:
            return {}, body
        if self.method == "private_key_jwt":
            auth = ClientAuth(self.client_id, self._key(secret), self._signer(url))
        elif self.method == "client_secret_basic":
            # Both are form-encoded before they are joined (RFC 6749 section 2.3.1), which authlib leaves to the caller.
            auth = ClientAuth(quote(self.client_id, safe=""), quote(secret, safe=""), self.method)
        else:
            auth = ClientAuth(self.client_id, secret, self.method)
        _, headers, found = auth.prepare("POST", url, {}, body)
        return dict(headers), str(found)

    def _signer(self, url: str) -> PrivateKeyJWT:
        # A new one each time: it writes the one-time `jti` into the claims that it is given.
        claims = {"exp": int(time.time()) + ASSERTION_SECONDS}
        header = {"kid": self.key_id} if self.key_id else {}
        return PrivateKeyJWT(self.audience or url, claims=claims, headers=header, alg=self.algorithm)

    def _key(self, pem: str) -> jwk.Key:
        kind: Literal["RSA", "EC"] = "EC" if self.algorithm.startswith("ES") else "RSA"
        try:
            return jwk.import_key(pem, kind)
        except (JoseError, ValueError, TypeError):
            raise CredentialError(
                f"{self.key_file or 'the Secret'} should hold a PEM private key for {self.algorithm}; it does not"
            ) from None

    def _read_secret(self) -> str:
        file = self.key_file if self.method == "private_key_jwt" else self.secret_file
        if file is None:
            return self.secret
        try:
            return file.read_text().strip()
        except (OSError, ValueError) as error:
            raise CredentialError(
                f"{file} should hold the credential of client {self.client_id} ({getattr(error, 'strerror', None) or 'not text'}); mount it"
            ) from None
