"""Which URLs and addresses may be asked on behalf of an issuer (pure): no way into the inside through a document of theirs.

RFC 8414 section 6.2 and the OWASP cheat sheet on server-side request forgery. Private networks (RFC 1918, ULA) are allowed: in a
private cloud issuers live there. What is blocked is what a provider never is and an attacker wants.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urljoin

from kraut_core.identity.errors import UntrustedUrlError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAX_URL_CHARACTERS: Final = 2048
MAX_REDIRECTS: Final = 3

_URL: Final = re.compile(
    r"https://(?P<host>[a-z0-9.-]{1,253}|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,=:@%-]*)*)",
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC: Final = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+)){0,3}")

_BLOCKED: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("100.100.100.200/32", "168.63.129.16/32"),  # metadata services of Alibaba Cloud and Azure
        # These carry an IPv4 address that only a gateway could tell: compatible, local NAT64, translated, Teredo.
        *("::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "2001::/32"),
        *("fe80::/10", "fec0::/10", "ff00::/8", "100::/64", "fd00:ec2::/64", "fd20:ce::254/128"),
    )
)


def check_url(url: str) -> str:
    """``url`` itself. Raises UntrustedUrlError unless it is https with a plain host, no user, query or fragment, no ``..``.

    A host is a name whose labels have 1 to 63 characters (RFC 1123 section 2.1), an IPv4 address, or an IPv6 address in brackets.
    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARACTERS else None
    if match is None or not _plain_path(match["path"]) or int(match["port"] or 443) not in range(1, 65536):
        raise UntrustedUrlError(
            "a URL should be https://host[:port]/path in lower case without user, query, fragment or `..`; correct it where it is configured or published"
        )
    if not (_is_address(match["ipv6"], IPv6Address) if match["ipv6"] else _is_name(match["host"])):
        raise UntrustedUrlError(
            "the host of a URL should be a name with labels of 1 to 63 characters or an address; correct it where it is configured or published"
        )
    host = match["host"]
    # Not 127.1 or 2130706433, which some resolvers take for an address.
    if _NUMERIC.fullmatch(host) and not _is_address(host, IPv4Address):
        raise UntrustedUrlError("a numeric host should be an IPv4 address with four parts")
    return url


def _plain_path(path: str) -> bool:
    lowered = path.lower()
    parts = path.split("/")[1:]
    return not any(escape in lowered for escape in ("%2e", "%2f", "%5c", "%00")) and not any(
        part in (".", "..") for part in parts
    )


def _is_name(host: str) -> bool:
    return all(_LABEL.fullmatch(label) for label in host.split("."))


def _is_address(host: str, kind: type[Address]) -> bool:
    try:
        kind(host)
    except ValueError:
        return False
    return True


def next_url(current: str, location: str) -> str:
    """Where a redirect leads. Raises UntrustedUrlError when that must not be asked."""
    try:
        url = urljoin(current, location)
    except ValueError:
        raise UntrustedUrlError("a redirect should lead to a URL, this one does not") from None
    return check_url(url)


def check_address(text: str, allowed: Iterable[Network] = ()) -> None:
    """Raises UntrustedUrlError unless a connection to this address is fine: not loopback, link-local, metadata or multicast.

    Judged by the IPv4 address inside where there is one (mapped, NAT64, 6to4), so that IPv6 is no way around.
    """
    address = _inner(ip_address(text.partition("%")[0]))
    if any(address.version == network.version and address in network for network in allowed):
        return
    if any(address.version == network.version and address in network for network in _BLOCKED):
        raise UntrustedUrlError(
            f"address {address} is one of the machine itself, of its link or of a metadata service: allow its network for this issuer if that is meant"
        )


def _inner(address: Address) -> Address:
    if not isinstance(address, IPv6Address):
        return address
    if address in IPv6Network("64:ff9b::/96"):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
