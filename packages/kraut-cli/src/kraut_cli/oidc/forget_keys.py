"""``kraut oidc forget-keys``: make a kube-apiserver forget keys of its issuers that were removed.

kube-apiserver tries the keys that it has before it asks for new ones, so that a removed key stays trusted until an unknown key
id arrives (kubernetes/kubernetes#142100). When the text of its AuthenticationConfiguration changes, if only in a comment, it
builds its authenticators anew, without any key.
"""

import asyncio
import hashlib
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kraut_cli.failures import CommandError, NotReadyError
from kraut_cli.inplace import one_writer, write_in_place
from kraut_cli.options import cluster_options, common_options
from kraut_cli.session import Session
from kraut_cli.terminal import note, progress
from kraut_cli.waiting import Duration

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

MARK: Final = "# kraut oidc forget-keys: "
_METRIC: Final = re.compile(
    r'^apiserver_authentication_config_controller_last_config_info\{(?:[^}]*,)?hash="(?P<hash>[^"]+)"[^}]*\} 1',
    re.MULTILINE,
)
_INTERVAL_SECONDS: Final = 0.5


@click.command("forget-keys", short_help="Make a kube-apiserver forget keys that were removed.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--wait",
    is_flag=True,
    help="Wait until the API server of the kubeconfig has taken the file (its metrics say which one it has).",
)
@click.option("--timeout", type=Duration(), default="2m", show_default=True, help="How long to wait.")
@cluster_options
@common_options
def forget_keys(file: Path, *, wait: bool, timeout: timedelta, session: Session) -> None:
    """Change a comment in FILE, the AuthenticationConfiguration of a kube-apiserver, which then forgets all keys of its issuers.

    Run it on each control-plane node, after a key was removed at its issuer and kraut-oidc-proxy withdrew it. With - the file
    comes from stdin and goes to stdout:

    \b
      ssh cp1 cat /etc/kubernetes/authn.yaml | kraut oidc forget-keys - > new.yaml

    Tokens of keys that are still published go on working: the API server reads them again at once.
    """
    if str(file) == "-":
        click.echo(mark(sys.stdin.read(), datetime.now(UTC)), nl=False)
        return
    changed = _change(file)
    note(f"{file} changed; its kube-apiserver takes it within a minute.")
    if wait:
        with progress("waiting for the API server to take it"):
            asyncio.run(_wait(session, changed, timeout))
        note("The API server has forgotten all keys of its issuers.")


def mark(text: str, now: datetime) -> str:
    """The document with a new comment as its first line (pure). Raises CommandError when it is another kind of document."""
    if "AuthenticationConfiguration" not in text:
        raise CommandError("the file should be an AuthenticationConfiguration (--authentication-config), it is not")
    rest = text.partition("\n")[2] if text.startswith(MARK) else text
    return f"{MARK}{now.isoformat(timespec='microseconds')}\n{rest}"


def config_hash(text: str) -> str:
    """How kube-apiserver's metrics name a file."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _change(file: Path) -> str:
    with one_writer(file):
        changed = mark(_read(file), datetime.now(UTC))
        write_in_place(file, changed)
    return changed


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise CommandError(f"{file} should be the file of --authentication-config: {error.strerror}") from None


async def _wait(session: Session, text: str, limit: timedelta) -> None:
    async with session.connect() as kube:
        if not await _is_taken(kube, config_hash(text), limit.total_seconds()):
            raise NotReadyError(
                f"the API server at {kube.server} should take the file, it still has another one; "
                "is this the node that the kubeconfig leads to, and does every issuer in the file answer? "
                "one that does not blocks the change: look for `failed to update authentication config` in its log"
            )


async def _is_taken(kube: "KubeClient", wanted: str, seconds: float) -> bool:
    """Whether the API server has the file of that hash within so many seconds.

    The time counts after a look only: a terminal's Ctrl-Z and fg, or a laptop's lid, may be longer than all of it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while wanted not in _hashes(await kube.transport.request("GET", "/metrics", accept="text/plain")):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_INTERVAL_SECONDS)
    return True


def _hashes(metrics: bytes) -> set[str]:
    return {match["hash"] for match in _METRIC.finditer(metrics.decode(errors="replace"))}
