"""Tokens between two calls: kubectl starts the plugin anew for every command. Opt-in, files of their owner only."""

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kraut_core.errors import PermanentError
from kraut_core.identity.sources import MARGIN_SECONDS, Token, check_token_value

MAX_CLIENTS: Final = 16
"""So many of the processes that were given a token are remembered."""


class TokenFiles:
    """One file (mode 0600) per key in a folder (mode 0700); a key is a digest of what was asked for and of whose token it is.

    ``client`` is the process that asks. client-go keeps a token until it ends, so a process that asks again before that was refused
    (HTTP 401; ExecCredential has no field for it since v1beta1): it gets another one.
    """

    def __init__(self, folder: Path, client: int | None = None) -> None:
        self._folder = folder
        self._client = client

    def read(self, key: str, now: float) -> Token | None:
        """The token of ``key`` if it is good for a while and was not given to this client before; a file that others may read or
        that is somebody else's is not used. Raises PermanentError as ``write``.
        """
        try:
            with (self._folder / key).open("rb") as file:
                state = os.fstat(file.fileno())
                if stat.S_IMODE(state.st_mode) & 0o077 or state.st_uid != os.geteuid():
                    return None
                document = json.load(file)
            token = Token(check_token_value(document["token"]), float(document["expiresAt"]))
            clients = [int(client) for client in document["clients"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if now >= token.expires_at - MARGIN_SECONDS or self._client in clients:
            return None
        if self._client is not None:
            self._keep(key, token, [*clients, self._client][-MAX_CLIENTS:])
        return token

    def write(self, key: str, token: Token) -> None:
        """Keep it. Raises PermanentError when the folder is open to others or cannot be written."""
        self._keep(key, token, [] if self._client is None else [self._client])

    def _keep(self, key: str, token: Token, clients: list[int]) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self._folder.stat().st_mode) & 0o077:
                raise PermanentError(f"{self._folder} should be open to its owner only: chmod 700 {self._folder}")
            self._replace(key, {"token": token.value, "expiresAt": token.expires_at, "clients": clients})
        except OSError as error:
            raise PermanentError(
                f"{self._folder} should take tokens: {error.strerror or error}; name another --cache-dir"
            ) from None

    def _replace(self, key: str, document: dict[str, Any]) -> None:
        # mkstemp makes a file of mode 0600; a reader sees the whole of it or none.
        handle, name = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(document, file)
            Path(name).replace(self._folder / key)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
