"""kraut-oidc-proxy's settings."""

from pathlib import Path

from pydantic import Field, field_validator

from kraut_core.settings import KubeSettings, LogSettings, ProbeSettings, Settings, SettingsGroup, TlsSettings
from kraut_oidc_proxy.issuers import check_issuer, check_jwks_uri, parse_servers


class OidcSettings(SettingsGroup):
    """What is published, where, and how it is kept up to date."""

    issuer: str = Field(
        description="Public URL of the issuer, byte for byte the first --service-account-issuer of the API server. Required: nothing else says under which name the world sees this cluster. Its path, if it has one, is the prefix of both routes.",
    )
    jwks_uri: str | None = Field(
        default=None,
        description="Public URL of the keys, written into the discovery document. Default none: <issuer>/openid/v1/jwks, the route that serves them.",
    )
    api_servers: str = Field(
        default="",
        description="Comma-separated URLs (https://host:port) of every API server, whose keys are published together. Default empty: the one of the pod or kubeconfig. Name them where several run, so that a key is public before the first of them signs with it.",
    )
    issuers_file: Path | None = Field(
        default=None,
        description="YAML file with a list of further issuers of other clusters: issuer, kubeconfig, and if needed context, jwksUri, apiServers. Default none: one proxy publishes one cluster.",
    )
    host: str = Field(
        default="0.0.0.0",  # noqa: S104
        description="Address of the public port. Default 0.0.0.0: gateways and other clusters come from outside the pod. `::` for IPv6.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="Public TCP port: HTTPS with KRAUT_TLS_CERT_FILE, else HTTP. Default 8000, apart from probes and metrics; 0 takes a free one.",
    )
    poll_seconds: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="Seconds between two reads of the API server, spread by a tenth. Default 30: a new key is public long before relying parties look again.",
    )
    timeout_seconds: int = Field(
        default=10,
        ge=1,
        le=300,
        description="Seconds in which the API server must have answered a read. Default 10; callers never wait for it.",
    )
    max_age_seconds: int = Field(
        default=300,
        ge=10,
        le=3600,
        description="Seconds that others may keep the answers (Cache-Control: max-age). Default 300: other clusters' API servers look for new keys that often, and a rotation waits for it.",
    )
    max_stale_seconds: int = Field(
        default=86_400,
        ge=1,
        le=604_800,
        description="Seconds for which the last good keys are served while the API server does not answer; then 503. Default 86400, a day.",
    )
    retain_seconds: int = Field(
        default=120,
        ge=0,
        le=3600,
        description="Seconds for which a key stays published after an API server stopped showing it. Default 120: behind one address several API servers answer in turn, and during a rotation they differ. Time in which it could not be read does not count. 0 withdraws at once.",
    )
    max_connections: int = Field(
        default=2000,
        ge=10,
        le=100_000,
        description="Open connections on the public port, those in their TLS handshake and those that say nothing (10 s at most) included; further ones are closed at once. Default 2000, about 40 MB.",
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        return check_issuer(value)

    @field_validator("jwks_uri")
    @classmethod
    def _check_jwks_uri(cls, value: str | None) -> str | None:
        return None if value is None else check_jwks_uri(value)

    @field_validator("api_servers")
    @classmethod
    def _check_servers(cls, value: str) -> str:
        return ",".join(parse_servers(value))


class OidcProxyProcessSettings(Settings):
    """Everything kraut-oidc-proxy reads from the environment."""

    oidc: OidcSettings
    kube: KubeSettings = KubeSettings()
    tls: TlsSettings = TlsSettings()
    log: LogSettings = LogSettings()
    probe: ProbeSettings = ProbeSettings()
