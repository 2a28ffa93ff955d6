"""Host: one machine that kraut manages over SSH."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from kraut_core.api.kinds import Column, Kind, Reference, Rule
from kraut_core.api.maintenance import Maintenance, OperatingSystem
from kraut_core.api.meta import (
    Boolean,
    Integer,
    LocalObjectReference,
    ObservedModel,
    ReconcileStatus,
    Resource,
    Time,
    WireModel,
)

HOST_KEY_PATTERN = (
    r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
    r" [A-Za-z0-9+/]+={0,3}( .*)?$"
)
ADDRESS_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$"
USER_PATTERN = r"^[a-z_][a-z0-9_\-]*[$]?$"
SITE_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

HostKey = Annotated[str, Field(max_length=4096, pattern=HOST_KEY_PATTERN)]
"""An OpenSSH public-key line, with or without a comment."""

STRICT_NEEDS_KEYS: Final = "hostKeyPolicy Strict needs at least one entry in hostKeys (ssh-keyscan shows them; compare with the host's console), or set hostKeyPolicy: TrustOnFirstUse"

UP_TO_DATE = "UpToDate"
"""Condition: no update is pending and no reboot is due."""


class Endpoint(WireModel):
    """Where sshd listens, who logs in, and which keys it must show."""

    address: str = Field(
        min_length=1,
        max_length=253,
        pattern=ADDRESS_PATTERN,
        description="IP address or DNS name at which sshd is reached.",
    )
    port: Integer = Field(default=22, ge=1, le=65535, description="TCP port of sshd. Default 22.")
    user: str = Field(
        default="kraut",
        min_length=1,
        max_length=32,
        pattern=USER_PATTERN,
        description="User that logs in: root, or one who may run `/bin/sh -s` through sudo without a password. Default kraut.",
    )
    credentials_ref: LocalObjectReference = Field(
        description="Secret with ssh-privatekey (as in kubernetes.io/ssh-auth) and its passphrase, or with password.",
    )


class JumpHost(Endpoint):
    """A host through which the connection goes (ssh -J); its key is always pinned."""

    host_keys: list[HostKey] = Field(
        min_length=1,
        max_length=16,
        description="OpenSSH public-key lines the jump host may show.",
    )


class HostSpec(Endpoint):
    """What a person wants of a host."""

    protocol: Literal["SSH"] = Field(default="SSH", description="How the host is reached. Only SSH.")
    host_keys: list[HostKey] = Field(
        default_factory=list,
        max_length=16,
        description="OpenSSH public-key lines the host may show (the content of /etc/ssh/ssh_host_*_key.pub).",
    )
    host_key_policy: Literal["Strict", "TrustOnFirstUse"] = Field(
        default="Strict",
        description="Strict accepts hostKeys only. TrustOnFirstUse, without hostKeys, records the first key in status and accepts only that from then on.",
    )
    jump_host: JumpHost | None = Field(default=None, description="A host through which the connection goes (ssh -J).")
    paused: Boolean = Field(default=False, description="Observe only: nothing new is started; what runs is finished.")
    site: str = Field(
        default="default",
        min_length=1,
        max_length=63,
        pattern=SITE_PATTERN,
        description="Which workers reach this host: those that serve the task queue of this site. Default default.",
    )
    operating_system: OperatingSystem = Field(
        default_factory=OperatingSystem, description="What kraut does to the operating system."
    )
    upgrade_policy_ref: LocalObjectReference | None = Field(
        default=None, description="UpgradePolicy; hosts that share one share its maxUnavailable."
    )
    maintenance: Maintenance = Field(default_factory=Maintenance, description="When disruptive work may start.")

    @model_validator(mode="after")
    def _strict_needs_keys(self) -> Self:
        if self.host_key_policy == "Strict" and not self.host_keys:
            raise ValueError(STRICT_NEEDS_KEYS)
        return self


class HostInfo(ObservedModel):
    """The host's identity and system, in the words of Node.status.nodeInfo (NodeSystemInfo)."""

    machine_id: str = Field(default="", alias="machineID", description="/etc/machine-id (machine-id(5)).")
    system_uuid: str = Field(
        default="", alias="systemUUID", description="The firmware's product UUID; empty when it shows none."
    )
    boot_id: str = Field(
        default="", alias="bootID", description="/proc/sys/kernel/random/boot_id: changes with every boot."
    )
    kernel_version: str = Field(default="", description="uname -r.")
    architecture: str = Field(default="", description="Debian's or Go's name of the architecture: amd64, arm64.")
    os_image: str = Field(default="", description="PRETTY_NAME of os-release(5).")
    os_id: str = Field(default="", alias="osID", description="ID of os-release(5).")
    os_version: str = Field(default="", description="VERSION_ID of os-release(5).")
    os_codename: str = Field(default="", description="VERSION_CODENAME of os-release(5).")


class HostCapacity(ObservedModel):
    """What the host has."""

    cpu: Integer = Field(default=0, description="Logical processors.")
    memory_bytes: Integer = Field(default=0, description="Memory in bytes (MemTotal).")
    disk_bytes: Integer = Field(default=0, description="Size of the root file system in bytes.")


class PackageStatus(ObservedModel):
    """Pending updates, as the host's package manager would install them now."""

    pending: Integer = Field(
        default=0, description="Packages with an update that kraut would install under `updates: All`."
    )
    security: Integer = Field(
        default=0, description="Those of them that come from the distribution's security archive."
    )
    held: list[str] = Field(
        default_factory=list,
        max_length=64,
        description="Packages on hold (apt-mark showhold): never touched; the first 64.",
    )
    broken: Boolean = Field(default=False, description="The package database needs repair (dpkg --audit).")
    lists_refreshed_at: Time | None = Field(
        default=None, description="When the package lists were last fetched; absent before the first time."
    )


OperationType = Literal["UpdatePackages", "Reboot"]
OperationResult = Literal["Running", "Succeeded", "Failed", "Lost", "Unknown"]


class OperationStatus(ObservedModel):
    """One operation on the host: durable work that outlives the connection that started it."""

    id: str = Field(max_length=64, description="UUID, also the name of its folder in /var/lib/kraut/ops on the host.")
    type: OperationType = Field(description="What it does.")
    result: OperationResult = Field(
        description="Running; Succeeded; Failed (it ended with an error); Lost (it ended without a result); Unknown (the host cannot be asked)."
    )
    start_time: Time = Field(description="When it was decided.")
    completion_time: Time | None = Field(default=None, description="When its end was observed.")
    exit_code: Integer | None = Field(default=None, description="Exit code, when it ended with one.")
    boot_id: str = Field(default="", alias="bootID", description="Boot id of the host when it was decided.")
    generation: Integer = Field(default=0, description="metadata.generation it was decided for.")
    workflow_id: str = Field(default="", alias="workflowID", description="Temporal workflow id.")
    message: str = Field(default="", max_length=1024, description="How it ended, in a sentence.")


class ClaimReference(ObservedModel):
    """The one Cluster that owns the host."""

    name: str = Field(max_length=253, description="Name of the Cluster, in the host's namespace.")
    uid: str = Field(default="", max_length=64, description="uid of the Cluster.")


class HostStatus(ReconcileStatus):
    """What kraut observed of a host and does to it."""

    host_info: HostInfo | None = Field(
        default=None, description="Identity and system; absent until the host was first reached."
    )
    capacity: HostCapacity | None = Field(default=None, description="What the host has.")
    packages: PackageStatus | None = Field(default=None, description="Pending updates.")
    reboot_required: Boolean | None = Field(default=None, description="Whether the host asks for a reboot.")
    reboot_required_by: list[str] = Field(
        default_factory=list, max_length=64, description="Packages that asked for it; the first 64."
    )
    host_keys: list[str] = Field(
        default_factory=list, max_length=16, description="Keys recorded on first use, pinned from then on."
    )
    claimed_by: ClaimReference | None = Field(
        default=None, description="The Cluster that owns this host; nobody else changes it then."
    )
    fencing_token: Integer = Field(
        default=0,
        ge=0,
        description="Grows with every operation that is decided; the host refuses an operation with a smaller one.",
    )
    operations: list[OperationStatus] = Field(
        default_factory=list, max_length=10, description="The newest operations, newest first; Running ones included."
    )
    failures: Integer = Field(
        default=0, ge=0, description="Operations that failed in a row; reset by success, a new generation or a request."
    )
    last_request_time: Time | None = Field(
        default=None,
        description="When lastHandledRequest was first seen; what was done before then does not answer the request.",
    )
    workflow_id: str = Field(default="", alias="workflowID", description="Temporal workflow id of this host.")


class Host(Resource[HostSpec, HostStatus]):
    """A machine that kraut manages over SSH."""

    KIND: ClassVar[str] = "Host"
    kind: Literal["Host"] = "Host"


KIND = Kind(
    model=Host,
    plural="hosts",
    short_names=("kh",),
    reconciled=True,
    columns=(
        Column("Address", ".spec.address"),
        Column("OS", ".status.hostInfo.osImage"),
        Column("Kernel", ".status.hostInfo.kernelVersion"),
        Column("Pending", ".status.packages.pending", type="integer"),
        Column("Security", ".status.packages.security", type="integer"),
        Column("Reboot", ".status.rebootRequired", type="boolean"),
        Column("Cluster", ".status.claimedBy.name"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Reason", ".status.conditions[?(@.type=='Ready')].reason", priority=1),
        Column("Working", ".status.conditions[?(@.type=='Reconciling')].reason", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
    references=(
        Reference(("spec", "credentialsRef", "name"), "Secret", "resourceVersion"),
        Reference(("spec", "jumpHost", "credentialsRef", "name"), "Secret", "resourceVersion"),
        Reference(("spec", "upgradePolicyRef", "name"), "UpgradePolicy", "generation"),
    ),
    site_path=("spec", "site"),
    rules=(
        Rule(
            ("spec",),
            "self.hostKeyPolicy != 'Strict' || (has(self.hostKeys) && size(self.hostKeys) > 0)",
            STRICT_NEEDS_KEYS,
        ),
    ),
)
