"""Who a caller of another cluster is here: the user and the groups that RBAC sees (pure).

The name is ``kraut:<cluster>:<sub>``: the cluster's part is a DNS label, which has no colon, so that no two clusters can
ever give the same user, whatever a subject looks like. Nothing but ``sub`` is taken from a token: groups follow from the cluster.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#configuring-the-api-server
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.errors import USER, TokenRefusedError

PREFIX: Final = "kraut:"
RESERVED: Final = "system:"
"""Names of Kubernetes' own users and groups begin so; RBAC trusts them with everything."""
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
SUBJECT_PATTERN: Final = "system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}"
"""A service account's ``sub``; a regular expression that Python and RE2 (CEL's ``matches``) read alike."""


@dataclass(frozen=True, slots=True)
class FederatedUser:
    """A user and its groups, neither of them Kubernetes' own."""

    name: str
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises TokenRefusedError (TokenUserReserved) for a name that begins with ``system:``, or for none."""
        check_names((self.name, *self.groups))


def check_cluster(name: str) -> str:
    """``name`` itself. Raises InvalidSpecError unless it is a DNS label (RFC 1123), as the names of users need it."""
    if _LABEL.fullmatch(name) is None:
        raise InvalidSpecError(
            f"a cluster's name in users is a DNS label (a-z, 0-9 and -, 63 characters at most), {name!r} is none; choose another"
        )
    return name


def check_names(names: Iterable[str]) -> None:
    """Whether a caller from outside may bear these names. Raises TokenRefusedError (TokenUserReserved)."""
    for name in names:
        if not name or name.startswith(RESERVED):
            raise TokenRefusedError(
                f"users and groups from outside have a name that does not begin with {RESERVED}, which is Kubernetes' own; give the issuer a prefix",
                reason=USER,
            )


def user_prefix(cluster: str) -> str:
    """What the names of all users of a cluster begin with: ``kraut:east:``. Raises InvalidSpecError."""
    return f"{PREFIX}{check_cluster(cluster)}:"


def cluster_group(cluster: str) -> str:
    """The one group of all users of a cluster: ``kraut:east``. Raises InvalidSpecError."""
    return f"{PREFIX}{check_cluster(cluster)}"


def map_service_account(cluster: str, subject: str) -> FederatedUser:
    """Who the service account ``subject`` (``system:serviceaccount:<namespace>:<name>``) of another cluster is here.

    Raises InvalidSpecError for a cluster's name that cannot be, TokenRefusedError for a subject that is no service account.
    """
    if re.fullmatch(SUBJECT_PATTERN, subject) is None:
        raise TokenRefusedError(
            "the token of another cluster should be a service account's (system:serviceaccount:<namespace>:<name>), this one is not",
            reason=USER,
        )
    return FederatedUser(user_prefix(cluster) + subject, (cluster_group(cluster),))
