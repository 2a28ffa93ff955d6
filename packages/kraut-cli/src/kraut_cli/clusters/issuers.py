"""Whether the issuers of an AuthenticationConfiguration answer: kube-apiserver takes a changed file only when every one does."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from kraut_cli.clusters.authorities import certificates
from kraut_core.errors import KrautError
from kraut_core.identity.discovery import parse_discovery

WELL_KNOWN: Final = "/.well-known/openid-configuration"
EVERY_ISSUER: Final = "kube-apiserver takes a changed file only when every issuer in it answers"


async def silent_issuers(configuration: Mapping[str, Any]) -> list[str]:
    """A sentence for each issuer of the document that does not answer from here, in the order of the document.

    Asked is what kube-apiserver asks: the discovery document, then the keys that it names. Nothing is sent but two GETs.
    """
    issuers = [_issuer(entry) for entry in configuration.get("jwt") or ()]
    problems = await asyncio.gather(*(_problem(issuer) for issuer in issuers))
    return [
        f"issuer {issuer.get('url')} does not answer from here: {problem}. {EVERY_ISSUER}: mend it, or take its entry out first"
        for issuer, problem in zip(issuers, problems, strict=True)
        if problem
    ]


def _issuer(entry: object) -> Mapping[str, Any]:
    issuer = entry.get("issuer") if isinstance(entry, Mapping) else None
    return issuer if isinstance(issuer, Mapping) else {}


async def _problem(issuer: Mapping[str, Any]) -> str:
    from kraut_core.identity.adapters.http import SafeHttp  # noqa: PLC0415 - aiohttp costs 0.2 s
    from kraut_core.identity.issuers import parse_networks  # noqa: PLC0415

    url = str(issuer.get("url", ""))
    document = str(issuer.get("discoveryURL") or url.removesuffix("/") + WELL_KNOWN)
    # A person's own file names them, and no answer is shown: any address may be meant, that of this machine too.
    anywhere = parse_networks(["0.0.0.0/0", "::/0"])
    authorities = str(issuer.get("certificateAuthority") or "")
    try:
        # Without comments, as kube-apiserver reads it; what has no certificate in it is said to be none.
        async with SafeHttp(networks=anywhere, ca="\n".join(certificates(authorities)) or authorities) as http:
            await http.get(parse_discovery(await http.get(document), url).jwks_uri)
    except KrautError as error:
        return error.message.rstrip(".")
    return ""
