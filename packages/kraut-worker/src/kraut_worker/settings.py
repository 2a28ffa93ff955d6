"""kraut-worker's settings."""

from pydantic import Field

from kraut_core.settings import (
    HomeSettings,
    KubeSettings,
    LogSettings,
    ProbeSettings,
    Settings,
    SettingsGroup,
    TemporalSettings,
)
from kraut_worker.adapters.ssh.settings import SshSettings


class WorkerSettings(SettingsGroup):
    """What this worker serves and how much at once."""

    sites: str = Field(
        default="default",
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(,[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        description="Comma-separated sites whose hosts this worker reaches (Host.spec.site). Default default. A worker next to its hosts names their site.",
    )
    roles: str = Field(
        default="workflows,kubernetes,ssh",
        pattern=r"^(workflows|kubernetes|ssh)(,(workflows|kubernetes|ssh))*$",
        description="Comma-separated task queues this process polls: workflows, kubernetes, ssh. Default all of them; split them to scale each by itself.",
    )
    max_hosts: int = Field(
        default=100,
        ge=1,
        le=2000,
        description="Looks at hosts at once per site, and as many operations beside them. Default 100: a connection costs little, the handshake most.",
    )
    package_list_max_age_seconds: int = Field(
        default=3600,
        ge=0,
        le=604_800,
        description="Seconds after which a host's package lists are fetched again. Default 3600; a person's request fetches them at once.",
    )
    sweep_interval_seconds: int = Field(
        default=900,
        ge=10,
        le=86_400,
        description="Seconds between two looks at every host. Default 900; spread over the interval, so that hosts are not asked all at once.",
    )
    provider_networks: str = Field(
        default="",
        pattern=r"^[0-9a-fA-F.:/,]*$",
        description="Comma-separated networks in which a Cluster's token provider may be although they are refused otherwise: loopback, link-local, metadata services. Default none: a provider is never there.",
    )
    shutdown_seconds: int = Field(
        default=10,
        ge=0,
        le=600,
        description="Seconds that activities may take to end after SIGTERM. Default 10: operations go on on their hosts and are found again.",
    )


class WorkerProcessSettings(Settings):
    """Everything kraut-worker reads from the environment."""

    worker: WorkerSettings = WorkerSettings()
    ssh: SshSettings = SshSettings()
    home: HomeSettings = HomeSettings()
    kube: KubeSettings = KubeSettings()
    temporal: TemporalSettings = TemporalSettings()
    log: LogSettings = LogSettings()
    probe: ProbeSettings = ProbeSettings()
