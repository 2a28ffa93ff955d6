"""``kraut oidc check --negative``: forged tokens must be refused by a target that accepts a good one."""

import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kraut_cli.failures import CommandError
from kraut_cli.oidc.findings import FORGED, Finding, ok, problem, unknown, warning
from kraut_cli.oidc.forgeries import Forgery, PrivateKey, forge, read_good
from kraut_cli.oidc.misuses import ANOTHER_AUDIENCE, misuses
from kraut_cli.oidc.observations import Presented
from kraut_cli.oidc.target import Target
from kraut_core.errors import ForbiddenError
from kraut_core.identity.jwks import PublicJwk


async def attack(
    target: Target,
    good: str,
    keys: tuple[PublicJwk, ...],
    *,
    foreign: str | None,
    signing: PrivateKey | None,
    removed: PrivateKey | None,
) -> Sequence[Finding]:
    """Present everything that is forged; a finding is unknown when the target gave no verdict.

    ``foreign``: a genuine token for another audience; ``signing``: the issuer's own key, for tokens with one flaw.
    """
    baseline = await target.present(good)
    if baseline.error is not None:
        return [
            unknown(
                FORGED,
                f"{target.name} refuses a good token, so that it refuses forged ones says nothing",
                "correct the findings above first",
            )
        ]
    now, decoded = int(time.time()), read_good(good, keys)
    forgeries = list(forge(decoded, signing=signing, removed=removed, now=now))
    if signing is not None:
        forgeries += misuses(decoded, signing, now)
    elif foreign is not None:
        forgeries.append(Forgery(ANOTHER_AUDIENCE, foreign))
    found = [_verdict(forgery, await target.present(forgery.token)) for forgery in forgeries]
    if signing is None and foreign is None:
        skipped = f"not tried at {target.name}: a token in a file has one audience"
        found.append(
            warning(f"{FORGED}: {ANOTHER_AUDIENCE}", skipped, "give --service-account or, in a drill, --signing-key")
        )
    return found


def _verdict(forgery: Forgery, answer: Presented) -> Finding:
    check = f"{FORGED}: {forgery.name}"
    if answer.error is None:
        level = warning if forgery.tolerable else problem
        return level(check, f"{answer.where} ACCEPTS it, for {answer.user}", forgery.advice)
    if not (isinstance(answer.error, ForbiddenError) and answer.error.status == 401):
        return unknown(check, f"{answer.where} gave no verdict: {answer.error}", "try again when it answers")
    weaker = "" if forgery.only else " (its signature is wrong too; --signing-key makes it the only flaw)"
    return ok(check, f"{answer.where} refuses it{weaker}")


def read_private_key(path: Path | None) -> PrivateKey | None:
    """A PEM private key, RSA or EC. Raises CommandError."""
    if path is None:
        return None
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{path} should hold a PEM private key without passphrase: {error}") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CommandError(f"{path} should hold an RSA or EC key, as kube-apiserver signs with; it holds another one")
    return key
