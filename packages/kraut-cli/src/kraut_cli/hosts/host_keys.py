"""Host keys: fingerprints, and which of a host's keys may be pinned (pure).

Formats: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"; fingerprints as ``ssh-keygen -l`` prints them.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from kraut_core.api.v1alpha1.host import HOST_KEY_PATTERN

FINGERPRINT_PATTERN: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def fingerprint(line: str) -> str:
    """The SHA256 fingerprint of a public-key line, ``SHA256:`` and base64 without padding.

    Raises ValueError when the line holds no key.
    """
    try:
        blob = base64.b64decode(line.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise ValueError(f"expected an OpenSSH public-key line, found {line[:80]!r}") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def pinnable(lines: Iterable[str]) -> list[str]:
    """Type and key of each line that a Host may pin, without comments and doubles, in order; ssh-dss is not among them."""
    bare = (" ".join(line.split()[:2]) for line in lines)
    return list(dict.fromkeys(line for line in bare if re.match(HOST_KEY_PATTERN, line)))


def parse_known_hosts_matches(text: str) -> list[str]:
    """Public-key lines from the output of ``ssh-keygen -F``: comments, revoked keys and authorities are left out."""
    entries = (line.split() for line in text.splitlines() if line.strip() and line[0] not in "#@")
    return pinnable(" ".join(entry[1:3]) for entry in entries if len(entry) >= 3)
