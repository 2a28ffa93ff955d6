"""``python -m bench.subjects.exchange CONFIG COUNT``: what a caller waits for a token, from a file and by exchange at Dex.

CONFIG is a JSON file with ``tokenFile``, ``endpoint``, ``subjectAudience``, ``secretFile`` and ``ca``.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from bench.sample import Sample, percentile
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.exchange import dex_exchange
from kraut_core.identity.sources import FileTokenSource, Token, TokenSource

CLIENT = "west"
FIRST = 20
"""Exchanges that are not cached."""


async def main(given: dict[str, Any], count: int) -> dict[str, Sample]:
    """Ask the file and the cached exchange in turn, ``count`` times each; then Dex itself."""
    subject = FileTokenSource(Path(given["tokenFile"]))
    async with SafeHttp(networks=(ip_network("127.0.0.0/8"),), ca_file=Path(given["ca"])) as http:

        def exchanged() -> TokenSource:
            exchange = dex_exchange(given["endpoint"], connector_id="east", subject_audience=given["subjectAudience"])
            client = ClientAuthentication(
                method="client_secret_basic", client_id=CLIENT, secret_file=Path(given["secretFile"])
            )
            return ExchangeTokenSource(exchange, subject, client, http)

        cached = exchanged()
        token = await cached.token(CLIENT)
        alone, through = [], []
        for _ in range(count):
            alone.append(await _clock(lambda: subject.token(given["subjectAudience"])))
            through.append(await _clock(lambda: cached.token(CLIENT)))
        if await cached.token(CLIENT) is not token:
            raise RuntimeError("the exchange should have been cached all the while, it was not")
        first = [await _clock(lambda: exchanged().token(CLIENT)) for _ in range(FIRST)]
    return {"file": _describe(alone), "cached": _describe(through), "first": _describe(first)}


async def _clock(ask: Callable[[], Awaitable[Token]]) -> float:
    began = time.perf_counter()
    await ask()
    return 1000 * (time.perf_counter() - began)


def _describe(values: list[float]) -> Sample:
    return {"p50_ms": percentile(values, 0.5), "p99_ms": percentile(values, 0.99)}


if __name__ == "__main__":
    found = asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
    sys.stdout.write(json.dumps(found) + "\n")
