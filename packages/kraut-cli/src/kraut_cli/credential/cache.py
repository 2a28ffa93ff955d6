"""Tokens between two calls: kubectl starts the plugin anew for every command. Opt-in, files of their owner only."""

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from kraut_core.errors import PermanentError
from kraut_core.identity.sources import MARGIN_SECONDS, Token, check_token_value


class TokenFiles:
    """One file (mode 0600) per key in a folder (mode 0700); a key is a digest of what was asked for, never of a token."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, now: float) -> Token | None:
        """The token of ``key`` if it is good for a while; a file that others may read or that is somebody else's is not used."""
        try:
            with (self._folder / key).open("rb") as file:
                state = os.fstat(file.fileno())
                if stat.S_IMODE(state.st_mode) & 0o077 or state.st_uid != os.geteuid():
                    return None
                document = json.load(file)
            token = Token(check_token_value(document["token"]), float(document["expiresAt"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return token if now < token.expires_at - MARGIN_SECONDS else None

    def write(self, key: str, token: Token) -> None:
        """Keep it. Raises PermanentError when the folder is open to others or cannot be written."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self._folder.stat().st_mode) & 0o077:
                raise PermanentError(f"{self._folder} should be open to its owner only: chmod 700 {self._folder}")
            # mkstemp makes a file of mode 0600; a reader sees the whole of it or none.
            handle, name = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "w") as file:
                    json.dump({"token": token.value, "expiresAt": token.expires_at}, file)
                Path(name).replace(self._folder / key)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise PermanentError(
                f"{self._folder} should take tokens: {error.strerror or error}; name another --cache-dir"
            ) from None
