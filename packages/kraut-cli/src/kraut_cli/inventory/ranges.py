"""Host ranges: ``web[01:10]``, ``db-[a:f]``, ``rack[1:9:2]-[a:b]`` (pure).

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#adding-ranges-of-hosts
"""

import re
import string
from itertools import product
from typing import Final

MAX_HOSTS: Final = 10_000

_RANGE: Final = re.compile(r"\[([0-9]*|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]")


def expand(pattern: str) -> list[str]:
    """The names that a pattern stands for; itself when it has no range. Raises ValueError when it cannot be read."""
    literals, choices, position = [], [], 0
    for match in _RANGE.finditer(pattern):
        literals.append(pattern[position : match.start()])
        choices.append(_choices(match[1], match[2], int(match[3] or 1), pattern))
        position = match.end()
    rest = pattern[position:]
    if "[" in rest or "[" in "".join(literals):
        raise ValueError(f"expected a range such as [01:10] or [a:f], found {pattern!r}")
    return ["".join(a + b for a, b in zip(literals, chosen, strict=True)) + rest for chosen in product(*choices)]


def _choices(first: str, last: str, step: int, pattern: str) -> list[str]:
    if step < 1 or first.isalpha() != last.isalpha():
        raise ValueError(f"expected a range of numbers or of letters with a step of 1 or more, found {pattern!r}")
    if last.isalpha():
        letters = string.ascii_letters
        chosen = letters[letters.index(first) : letters.index(last) + 1 : step]
        return _not_empty([*chosen], pattern)
    first = first or "0"
    padded = len(first) > 1 and first.startswith("0")
    if padded and len(first) != len(last):
        raise ValueError(f"expected both ends of a padded range to have the same length, found {pattern!r}")
    numbers = range(int(first), int(last) + 1, step)
    if len(numbers) > MAX_HOSTS:
        raise ValueError(f"expected at most {MAX_HOSTS} hosts in a range, found {len(numbers)} in {pattern!r}")
    return _not_empty([str(number).zfill(len(first)) if padded else str(number) for number in numbers], pattern)


def _not_empty(names: list[str], pattern: str) -> list[str]:
    if not names:
        raise ValueError(f"expected a range that begins before it ends, found {pattern!r}")
    return names
