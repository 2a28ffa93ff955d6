"""Entry point of ``kraut-credential``."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import click

from kraut_cli.credential.cache import TokenFiles
from kraut_cli.credential.exec_credential import VARIABLE, answer, told_audience
from kraut_cli.credential.wanted import Wanted, source_of
from kraut_cli.failures import one_sentence
from kraut_cli.provider_options import FILE, client_authentication_option, provider_options
from kraut_core.identity.sources import Token


def _account(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, str] | None:
    if value is None:
        return None
    namespace, slash, name = value.partition("/")
    if not (namespace and slash and name):
        raise click.BadParameter(f"expected NAMESPACE/NAME, found {value!r}")
    return namespace, name


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--audience", help="Whom the token is for; default: `audience` that the kubeconfig's cluster tells.")
@click.option("--token-file", type=FILE, help="A projected service account token, read every time.")
@click.option(
    "--service-account", metavar="NAMESPACE/NAME", callback=_account, help="Ask for a token of this account instead."
)
@click.option("--kubeconfig", type=FILE, help="With --service-account: the cluster where the account lives.")
@click.option("--context", help="Context of that kubeconfig.")
@click.option("--token-endpoint", help="Exchange the token at this provider (RFC 8693, RFC 7523).")
@click.option("--subject-audience", help="Audience of the token that the provider is shown.")
@provider_options
@client_authentication_option("none", "How the client shows itself.")
@click.option("--client-id", default="", help="The client's id.")
@click.option("--client-secret-file", type=FILE, help="For client_secret_basic and client_secret_post.")
@click.option("--ca-file", type=FILE, help="PEM authorities of the provider; default: the system's.")
@click.option(
    "--allow-network",
    metavar="CIDR",
    multiple=True,
    help="Where the provider may be although it is refused by default: loopback, link-local.",
)
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep tokens that were asked for or exchanged here between calls, mode 0600; default: keep none.",
)
@click.version_option(package_name="kraut-cli", prog_name="kraut-credential")
def credential(*, cache_dir: Path | None, **options: Any) -> None:
    """Print a token of a service account for another cluster, as kubectl's credential plugins do (ExecCredential v1).

    \b
    users:
    - name: west
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1
          interactiveMode: Never
          command: kraut-credential
          args: [--audience=https://api.west.example.com, --token-file=/var/run/secrets/west/token]
    """
    with one_sentence():
        audience = options.pop("audience") or told_audience(os.environ.get(VARIABLE))
        if not audience:
            raise click.UsageError(
                "name the --audience: the one that the other cluster's AuthenticationConfiguration wants"
            )
        if (options["token_file"] is None) == (options["service_account"] is None):
            raise click.UsageError("give either --token-file or --service-account: whose token it is")
        if options["service_account"] is not None and options["kubeconfig"] is None:
            raise click.UsageError("--service-account needs --kubeconfig: where the account lives")
        files = TokenFiles(cache_dir, _client()) if cache_dir is not None else None
        token = asyncio.run(find_token(Wanted(audience=audience, **options), files))
        click.echo(answer(token, time.time()))


def _client() -> int | None:
    """The process that asks as client-go does; None for a person or a script, who may ask as often as they like."""
    return os.getppid() if VARIABLE in os.environ else None


async def find_token(wanted: Wanted, files: TokenFiles | None) -> Token:
    """The token, from the files of an earlier call if they are asked for."""
    key = wanted.key() if files is not None else None
    found = files.read(key, time.time()) if files is not None and key is not None else None
    if found is not None:
        return found
    async with source_of(wanted) as source:
        token = await source.token(wanted.audience)
    if files is not None and key is not None:
        files.write(key, token)
    return token


def main() -> None:
    """Run the command line in ``sys.argv`` and exit with its code."""
    credential(prog_name="kraut-credential")


if __name__ == "__main__":
    main()
