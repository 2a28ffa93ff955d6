"""Text of hosts on a terminal (pure): what a host says must not steer the terminal of who reads it."""

import re
from typing import Final

# C0 without tab and newline, DEL, C1: https://en.wikipedia.org/wiki/C0_and_C1_control_codes
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def escape(text: str) -> str:
    """``text`` with control characters made visible, as kubectl does: ``^[`` for escape, ``\\x9b`` for C1."""
    return _CONTROL.sub(lambda match: _visible(match[0]), text)


def _visible(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code >= 0x80 else f"^{chr(code ^ 0x40)}"
