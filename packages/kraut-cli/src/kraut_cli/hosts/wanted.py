"""What a person asked of ``kraut host add`` (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kraut_cli.hosts.manifests import Jump, Wish
from kraut_cli.hosts.setup import Setup
from kraut_cli.hosts.ssh_command import Destination, SshOptions, Trust

KRAUT_USER: Final = "kraut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of ``kraut host add``; ``interactive``: whether somebody can answer."""

    name: str
    namespace: str
    address: str | None
    port: int | None
    user: str | None
    identity_file: str | None
    ssh_config: str | None
    jump_host: Destination | None
    trust_host_key: Sequence[str]
    accept_new: bool
    ask_sudo_password: bool
    as_root: bool
    site: str | None
    updates: str | None
    upgrade_policy: str | None
    rotate_key: bool
    export: bool
    include_secret: bool
    yes: bool
    interactive: bool

    @property
    def secret(self) -> str:
        """Name of the Secret."""
        return f"{self.name}-ssh"

    @property
    def host_user(self) -> str:
        """Whom kraut logs in as."""
        return "root" if self.as_root else KRAUT_USER

    @property
    def mark(self) -> str:
        """Comment of the public key on the host: whose it is, and which line to replace."""
        return f"kraut.dev:{self.namespace}/{self.name}"

    @property
    def needs_cluster(self) -> bool:
        """Whether anything is read from or written to the API server."""
        return not (self.export and self.include_secret)

    @property
    def destination(self) -> Destination:
        """The host as ssh is told."""
        return Destination(self.address or self.name, self.port, self.user)

    def ssh_options(self) -> SshOptions:
        """How ssh is run for the host."""
        trust: Trust = "Fingerprints" if self.trust_host_key else self._trust()
        return SshOptions(trust, self.interactive, self.ssh_config, self.identity_file, self.jump_host)

    def jump_options(self) -> SshOptions:
        """How ssh is run for the jump host.

        Fingerprints are for the host alone: ssh -J itself trusts nothing but the person's known_hosts.
        """
        return SshOptions(self._trust(), self.interactive, self.ssh_config, self.identity_file)

    def _trust(self) -> Trust:
        if self.accept_new:
            return "AcceptNew"
        return "Ask" if self.interactive else "KnownHosts"

    def host_setup(self, public_key: str) -> Setup:
        """What the host is to have: a key that may do nothing but run commands."""
        return Setup(self.host_user, f"restrict {public_key} {self.mark}", self.mark, sudo=not self.as_root)

    def jump_setup(self, public_key: str, address: str, port: int) -> Setup:
        """What the jump host is to have: the key, good for a connection to this one host and nothing else."""
        target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        limits = f'restrict,port-forwarding,permitopen="{target}",command="/bin/false"'
        return Setup(KRAUT_USER, f"{limits} {public_key} {self.mark}", self.mark, sudo=False)

    def wish(self, address: str, port: int, host_keys: Sequence[str], jump: Jump | None) -> Wish:
        """The Host to write; without ``host_keys`` one that only serves to be checked."""
        return Wish(
            name=self.name,
            namespace=self.namespace,
            address=address,
            secret=self.secret,
            port=port,
            user=self.host_user,
            site=self.site,
            updates=self.updates,
            upgrade_policy=self.upgrade_policy,
            host_keys=host_keys,
            trust_on_first_use=not host_keys,
            jump=jump,
        )
