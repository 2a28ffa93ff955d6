"""A new entry beside what an AuthenticationConfiguration says already: joined, or refused with what stands against it (pure)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.authentication import exchanged_for, issuer_url

_EXCHANGED: Final = re.compile(r"(?P<cluster>.+) in \[(?P<names>'[^']+'(?:, '[^']+')*)\]")

Entry = Mapping[str, Any]


def join_entry(
    document: Mapping[str, Any] | None, entry: Entry, *, replace: bool = False, second_issuer: bool = False
) -> dict[str, Any]:
    """``entry`` as it is to stand in ``document``: a provider keeps the clusters that it exchanges for there already.

    Raises InvalidSpecError when the issuer has another entry there that says something else, unless ``replace``; and when
    another issuer gives users of the same names, unless ``second_issuer``: of a cluster that changes its issuer both are trusted
    for a while, of two clusters the same service account would be one user.
    """
    standing = [found for found in (document or {}).get("jwt") or () if isinstance(found, Mapping)]
    old = next((found for found in standing if issuer_url(found) == issuer_url(entry)), None)
    others = [found for found in standing if found is not old]
    twin = next((found for found in others if _same_users(found, entry)), None)
    if twin is not None and not second_issuer:
        raise InvalidSpecError(
            f"the file trusts {issuer_url(twin)} for the same users as {issuer_url(entry)} would have: two clusters need different "
            "names (--home-name); when one cluster changes its issuer, say so (--second-issuer)"
        )
    joined = _joined(old, entry) if old is not None else dict(entry)
    if old is not None and not replace and (differing := list(_differing(_joined(entry, old), joined))):
        raise InvalidSpecError(
            f"the file has another entry for {issuer_url(entry)}: {'; '.join(differing)}; "
            "correct the options, or replace what stands there (--replace)"
        )
    return joined


def _exchanged(entry: Entry) -> tuple[int, str, list[str]] | None:
    """Where a provider's entry says for which clusters it exchanges: index of the rule, CEL of the cluster, names."""
    for index, rule in enumerate(entry.get("claimValidationRules") or ()):
        if found := _EXCHANGED.fullmatch(str(rule.get("expression", "")) if isinstance(rule, Mapping) else ""):
            return index, found["cluster"], [name.strip("'") for name in found["names"].split(", ")]
    return None


def _joined(one: Entry, other: Entry) -> dict[str, Any]:
    """``other`` with the clusters of both."""
    mine, theirs = _exchanged(one), _exchanged(other)
    if mine is None or theirs is None:
        return dict(other)
    index, cluster, names = theirs
    rules = list(other["claimValidationRules"])
    rules[index] = exchanged_for(cluster, {*names, *mine[2]})
    return {**other, "claimValidationRules": rules}


def _same_users(one: Entry, other: Entry) -> bool:
    if _username(one) != _username(other) or not _username(one):
        return False
    mine, theirs = _exchanged(one), _exchanged(other)
    return mine is None or theirs is None or bool({*mine[2]} & {*theirs[2]})


def _username(entry: Entry) -> str:
    expression = _leaves(entry).get("claimMappings.username.expression", "")
    return str(expression)


def _differing(old: Entry, new: Entry) -> Iterator[str]:
    was, would = _leaves(old), _leaves(new)
    for name in sorted({*was, *would}):
        if was.get(name) != would.get(name):
            if name.endswith("certificateAuthority"):
                yield f"{name} differs"
            else:
                yield f"{name} is {was.get(name, 'absent')!r} and would be {would.get(name, 'absent')!r}"


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {leaf: found for key in value for leaf, found in _leaves(value[key], f"{name}.{key}".lstrip(".")).items()}
