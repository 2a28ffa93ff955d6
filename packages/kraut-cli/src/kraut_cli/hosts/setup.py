"""One session of the system's ssh that sets a host up: the only place that starts ssh."""

import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import click

from kraut_cli.formats.escape import escape
from kraut_cli.hosts.host_keys import fingerprint
from kraut_cli.hosts.setup_result import SetupResult, parse_setup, refused_fingerprints
from kraut_cli.hosts.ssh_command import (
    Destination,
    SshOptions,
    fingerprint_script,
    parse_query,
    query_argv,
    setup_argv,
)
from kraut_core.errors import HostKeyMismatchError, KrautError, PermanentError, UnreachableError

_NOBODY_TO_ASK_SECONDS: Final = 300.0
"""Longer than any host takes; a person at the terminal may take as long as they like."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the host is to have. ``key``: a line for authorized_keys that ends with ``mark``."""

    user: str
    key: str
    mark: str
    sudo: bool


def resolve(destination: Destination, options: SshOptions) -> tuple[str, int, str | None]:
    """Address, port and jump host that the person's ssh configuration gives a destination.

    Raises PermanentError when ssh is not there or refuses the configuration.
    """
    try:
        asked = subprocess.run(
            query_argv(destination, options), capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError as error:
        raise PermanentError("expected OpenSSH's ssh on this machine, found none; install openssh-client") from error
    if asked.returncode != 0:
        raise PermanentError(f"ssh does not accept {destination}: {asked.stderr.strip()}")
    values = parse_query(asked.stdout)
    jump = values.get("proxyjump", "none")
    return values["hostname"], int(values["port"]), None if jump == "none" else jump


def set_up(
    destination: Destination,
    options: SshOptions,
    setup: Setup,
    *,
    fingerprints: Sequence[str] = (),
    sudo_password: str | None = None,
) -> SetupResult:
    """Set the host up as root, in one session. Raises KrautError; a session that failed can be repeated."""
    with _fingerprint_command(fingerprints) as (command, seen):
        options = replace(options, fingerprint_command=command, sudo_password=sudo_password is not None)
        stdin = f"{sudo_password}\n" if sudo_password is not None else ""
        stdout, stderr, exit_code = _run(
            setup_argv(destination, options), stdin + script(setup), interactive=options.interactive
        )
        try:
            result = parse_setup(stdout, stderr, exit_code, destination)
        except KrautError as error:
            raise _clearer(error, _lines(seen), fingerprints, destination) from error
    return _checked(result, fingerprints, destination)


def script(setup: Setup) -> str:
    """The script for the host's root shell; there is nothing secret in it."""
    values = {
        "KRAUT_USER": setup.user,
        "KRAUT_KEY": setup.key,
        "KRAUT_MARK": setup.mark,
        "KRAUT_SUDO": "yes" if setup.sudo else "no",
    }
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    return assignments + resources.files("kraut_cli.hosts").joinpath("setup_host.sh").read_text()


@contextmanager
def _fingerprint_command(fingerprints: Sequence[str]) -> Iterator[tuple[str | None, Path | None]]:
    if not fingerprints:
        yield None, None
        return
    with TemporaryDirectory(prefix="kraut-") as folder:
        seen, path = Path(folder, "seen"), Path(folder, "known-hosts")
        path.write_text(fingerprint_script(fingerprints, str(seen)))
        path.chmod(0o700)
        yield f"{path} %f %H %t %K", seen


def _run(argv: list[str], stdin: str, *, interactive: bool) -> tuple[str, str, int]:
    environment = dict(os.environ) if interactive else {**os.environ, "SSH_ASKPASS_REQUIRE": "never"}
    limit = None if interactive else _NOBODY_TO_ASK_SECONDS
    with (
        _Stderr(shown=interactive) as stderr,
        subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr.write_end,
            text=True,
            errors="replace",
            env=environment,
            # Without a controlling terminal not even the ssh of a jump host can ask.
            start_new_session=not interactive,
        ) as process,
    ):
        try:
            stdout, _ = process.communicate(stdin, timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(f"expected the host to be set up within {limit} s, found no end") from error
        finally:
            process.kill()
    return stdout, stderr.text, process.returncode


class _Stderr:
    """ssh's stderr, kept, and when ``shown`` passed on at once: a security key's "confirm user presence" comes that way."""

    def __init__(self, *, shown: bool) -> None:
        self.shown = shown
        self.text = ""

    def __enter__(self) -> Self:
        read_end, self.write_end = os.pipe()
        self._reader = threading.Thread(target=self._read, args=(read_end,))
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.write_end)
        self._reader.join()

    def _read(self, read_end: int) -> None:
        with open(read_end, errors="replace") as stream:
            for line in stream:
                self.text += line
                if self.shown:
                    click.echo(escape(line), err=True, nl=False)


def _clearer(error: KrautError, seen: list[str], fingerprints: Sequence[str], destination: Destination) -> KrautError:
    if seen and isinstance(error, HostKeyMismatchError):
        return refused_fingerprints(seen, fingerprints, destination)
    return error


def _lines(path: Path | None) -> list[str]:
    return path.read_text().splitlines() if path is not None and path.is_file() else []


def _checked(result: SetupResult, fingerprints: Sequence[str], destination: Destination) -> SetupResult:
    found = [fingerprint(line) for line in result.host_keys]
    if fingerprints and not set(fingerprints) & set(found):
        raise HostKeyMismatchError(
            f"{destination}: the connection showed a trusted key, but the host's sshd names others ({', '.join(found)}); "
            "is another machine, or another sshd, behind this address?"
        )
    return result
