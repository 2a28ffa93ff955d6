"""``python -m kraut_lab.demo.exchanging``: one RFC 8693 exchange at Dex; tokens and secrets come and go in files.

A process of its own, because Dex's name resolves only where `kraut_lab.hostnames` says so.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from ipaddress import ip_network
from pathlib import Path

from kraut_core.errors import KrautError
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.exchange import dex_exchange
from kraut_core.identity.sources import FileTokenSource
from kraut_lab.files import write_atomically

SCOPE = ("openid", "profile", "federated:id")
_LOOPBACK = (ip_network("127.0.0.0/8"),)


def main() -> int:
    """Exchange once. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("endpoint", "issuer", "connector", "client"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("ca", "subject-file", "secret-file", "out"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    options = parser.parse_args()
    try:
        write_atomically(options.out, asyncio.run(exchange(options)))
    except KrautError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def exchange(options: argparse.Namespace) -> str:
    """The token that Dex gives for the client. Raises KrautError."""
    asked = dex_exchange(options.endpoint, connector_id=options.connector, subject_audience=options.issuer, scope=SCOPE)
    client = ClientAuthentication(
        method="client_secret_basic", client_id=options.client, secret_file=options.secret_file
    )
    async with SafeHttp(networks=_LOOPBACK, ca_file=options.ca) as http:
        source = ExchangeTokenSource(asked, FileTokenSource(options.subject_file), client, http)
        return (await source.token(options.client)).value


if __name__ == "__main__":
    sys.exit(main())
