"""What the worker needs of the outside world, as protocols; adapters implement them, ``kraut_worker.testing`` doubles them."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from kraut_core.api.v1alpha1.cluster import Access

MAX_OUTPUT_BYTES = 1 << 20
"""Default bound of each output stream of a command, in bytes; what comes after it is dropped."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to log in: a private key, a password, or both. ``repr`` shows none of it.

    ``private_key`` is the text of an OpenSSH, PEM or PKCS#8 private key (Secret key ``ssh-privatekey``),
    ``passphrase`` decrypts it, ``password`` is for password and keyboard-interactive authentication.
    """

    private_key: bytes | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything in it that nobody may see."""
        key = self.private_key.decode("utf-8", "replace") if self.private_key else None
        return tuple(secret for secret in (key, self.passphrase, self.password) if secret)


@dataclass(frozen=True, slots=True)
class HostTarget:
    """One host as it is reached: where, as whom, and which keys it must show.

    ``host_keys`` are OpenSSH public-key lines; empty only with ``trust_on_first_use``, where the key that was
    shown is found in ``Shell.host_key``. ``machine_id`` is the recorded /etc/machine-id, "" when not yet known.
    ``uid`` is the Host's: two Hosts never share a connection.
    """

    address: str
    user: str
    port: int = 22
    host_keys: tuple[str, ...] = ()
    trust_on_first_use: bool = False
    credentials: Credentials = Credentials()
    jump_host: "HostTarget | None" = None
    machine_id: str = ""
    uid: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those of the host and of its jump host."""
        return self.credentials.secrets + (self.jump_host.secrets if self.jump_host else ())


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a script ended. ``exit_status`` is 0-255 (128 + n when signal n ended it); output is bytes, never decoded on the way.

    ``truncated``: at least one stream was longer than the bound and its rest was dropped.
    """

    exit_status: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class Shell(Protocol):
    """Root on a host whose key and machine id were verified."""

    @property
    def host_key(self) -> str:
        """The key that the server showed, as an OpenSSH public-key line without a comment."""
        ...

    @property
    def machine_id(self) -> str:
        """The host's /etc/machine-id, read on this connection (machine-id(5))."""
        ...

    async def run(self, script: str, *, timeout_seconds: float, max_output: int = MAX_OUTPUT_BYTES) -> CommandResult:
        """Run a POSIX sh script as root and return how it ended; a non-zero exit status is a result, not an error.

        The script is sent on stdin and starts only when it has arrived whole: a connection that breaks in the middle
        of it runs nothing. Its own stdin is /dev/null, its locale C. ``timeout_seconds`` is and covers everything.

        Raises UnknownOutcomeError when the result never arrived (lost connection, timeout): the script may or may
        not have run, and may still be running.
        """
        ...


class HostConnector(Protocol):
    """Makes connections to hosts; pooled, so that connecting again is cheap."""

    def connect(self, target: HostTarget) -> AbstractAsyncContextManager[Shell]:
        """A shell on the host for the duration of the context.

        Raises, before any command was sent, UnreachableError, AuthenticationError, SecretError, HostKeyMismatchError,
        PrivilegeError; and MachineIdentityError after nothing but the machine id was read.
        """
        ...

    async def learn_host_key(self, target: HostTarget) -> str:
        """The key that the host shows, as an OpenSSH public-key line without a comment; nobody logs in.

        Raises UnreachableError, and for a jump host all that ``connect`` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """One cluster as it is reached. ``secret`` is the content of the Secret that ``access`` names, ``secret_version`` which it was."""

    uid: str
    generation: int
    namespace: str
    access: Access
    secret_name: str = ""
    secret_version: str = ""
    secret: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ClusterSighting:
    """An API server as it was seen: it answered, with a trusted certificate, and knew who asked.

    ``unready`` says why it is not ready, empty when it is; ``issuer_hidden`` why its issuer is not known, empty when it is.
    """

    version: str
    username: str
    issuer: str
    unready: str = ""
    issuer_hidden: str = ""


class ClusterProber(Protocol):
    """Looks at clusters."""

    async def probe(self, target: ClusterTarget) -> ClusterSighting:
        """See who and what is there.

        Raises UnreachableError (no answer), ApiServerError (an answer that is none), PermanentError with the reasons
        CertificateUntrusted, Unauthorized, Forbidden and AudienceIsHome, SecretError, and what token sources raise.
        """
        ...
