"""Find and blank what looks like a secret (pure); the second line behind never passing a secret on.

Keys are judged by their name, texts by what they contain: PEM blocks, bearer and basic credentials, JSON web tokens,
passwords in URLs, ``password=...``. Cut blocks (no END line) count, since logs and messages are truncated.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"
MAX_DEPTH: Final = 8
MIN_KNOWN: Final = 6

_SECRET_NAMES: Final = (
    "password",
    "passwd",
    "passphrase",
    "token",
    "privatekey",
    "apikey",
    "authorization",
    "cookie",
    "credentials",
)

_PATTERNS: Final = (
    re.compile(r"-----BEGIN [A-Z0-9 ]{1,64}-----(?:.*?-----END [A-Z0-9 ]{1,64}-----|.*)", re.DOTALL),
    # The end of a block whose beginning was cut off, as it is where only the end of a long output is kept.
    re.compile(r"(?:^[A-Za-z0-9+/=]{1,76}\r?\n)+-----END [A-Z0-9 ]{1,64}-----", re.MULTILINE),
    re.compile(r"(?<=\bBearer )[A-Za-z0-9._~+/\-]{8,}=*", re.IGNORECASE),
    re.compile(r"(?<=\bBasic )[A-Za-z0-9+/]{8,}=*"),
    re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?"),
    re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"),
    # To the next blank, ampersands included: more than needed of an URL, and all of a password that has one.
    re.compile(r"(?:(?<=password=)|(?<=passphrase=)|(?<=token=))(?:\"[^\"\n]*\"|'[^'\n]*'|\S+)", re.IGNORECASE),
)


def is_secret_name(name: str) -> bool:
    """Whether a key of that name holds a secret: ``password``, ``ssh-privatekey``, ``apiKey``, ``Authorization``."""
    return re.sub(r"[^a-z]", "", name.lower()).endswith(_SECRET_NAMES)


def redact_text(text: str, *, known: Iterable[str] = ()) -> str:
    """``text`` with everything that looks like a secret replaced by ``[redacted]``, and so every line of the ``known`` ones.

    A known line shorter than 6 characters stays: blanking it everywhere would tell it.
    """
    lines = {line for secret in known for line in secret.splitlines() if len(line) >= MIN_KNOWN}
    for line in sorted(lines, key=len, reverse=True):
        text = text.replace(line, REDACTED)
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


def looks_secret(text: str) -> bool:
    """Whether :func:`redact_text` would change ``text``."""
    return redact_text(text) != text


def redact(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """A copy of ``value`` (mappings, sequences, texts) without secrets; what lies deeper than ``depth`` is dropped.

    A value under a secret name is blanked unless it is a number, a boolean or None: a fencing token is one.
    """
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray):
        return redact_text(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {key: _redact_item(str(key), item, depth) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth=depth - 1) for item in value] if depth > 0 else REDACTED
    return value


def _redact_item(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth <= 0 or is_secret_name(key):
        return REDACTED
    return redact(value, depth=depth - 1)
