"""Settings of kraut's processes: environment variables that start with ``KRAUT_``, in groups.

A process declares one subclass of :class:`Settings` in its ``settings`` module and names the groups it uses;
``KRAUT_<GROUP>_<FIELD>`` sets a field: ``KRAUT_TEMPORAL_ADDRESS``, ``KRAUT_LOG_LEVEL``. Groups of others may stand in
the same environment (one ConfigMap for all), while a misspelt field of an own group is refused.

No setting holds a secret: secrets are files, and settings name them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from kraut_core.errors import PermanentError

PREFIX: Final = "KRAUT_"


class SettingsError(PermanentError):
    """The environment holds settings that cannot be; one sentence for each of them."""

    default_reason = "InvalidSettings"


class SettingsGroup(BaseModel):
    """Settings that belong together. Every field has a description with unit, default and reason; few have no default."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Settings(BaseSettings):
    """Base of every process' settings: its fields are groups."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
    )


class KubeSettings(SettingsGroup):
    """The home cluster's API server."""

    kubeconfig: Path | None = Field(
        default=None,
        description="Kubeconfig file. Default none: the pod's service account when there is one, else ~/.kube/config, as client-go does. Name one to run outside the cluster under an identity of its own.",
    )
    context: str | None = Field(
        default=None,
        description="Context of the kubeconfig file. Default none: its current-context. Name one where people switch contexts in the same file.",
    )


class TemporalSettings(SettingsGroup):
    """The connection to Temporal's frontend."""

    address: str = Field(
        default="localhost:7233",
        pattern=r"^.+:[0-9]{1,5}$",
        description="host:port of Temporal's frontend. Default localhost:7233, where the dev server listens.",
    )
    namespace: str = Field(
        default="default",
        min_length=1,
        max_length=255,
        description="Temporal namespace. Default default, the one the dev server has; Temporal Cloud's are <name>.<account>.",
    )
    tls: bool = Field(
        default=False,
        description="Whether to speak TLS. Default false, for a frontend on loopback or in the same namespace; implied by any tls_*_file and by api_key_file.",
    )
    tls_ca_file: Path | None = Field(
        default=None,
        description="PEM file with the CA that signed the frontend's certificate. Default none: the system's trust store.",
    )
    tls_cert_file: Path | None = Field(
        default=None,
        description="PEM file with the client certificate for mTLS. Default none: no client certificate. Needs tls_key_file.",
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM file with the private key of tls_cert_file. Default none."
    )
    tls_server_name: str | None = Field(
        default=None,
        description="Name the frontend's certificate must bear. Default none: the host of the address. Differs behind a tunnel or a load balancer.",
    )
    api_key_file: Path | None = Field(
        default=None,
        description="File with an API key (Temporal Cloud), read again on every connection so that a rotated key is used. Default none.",
    )
    payload_key_file: Path | None = Field(
        default=None,
        description="File with the AES-256-GCM keys that encrypt payloads before they leave the process. Default none: payloads are readable in Temporal's database; they never hold secrets, this is the second line.",
    )


class LogSettings(SettingsGroup):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least severe level that is written. Default info: one line for each thing that changed.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="json for machines, console for people. Default auto: console when standard error is a terminal, else json.",
    )


class ProbeSettings(SettingsGroup):
    """The port of probes and metrics: /livez, /readyz, /metrics."""

    host: str = Field(
        default="0.0.0.0",  # noqa: S104
        description="Address to listen on. Default 0.0.0.0: the kubelet and Prometheus come from outside the pod. `::` for IPv6.",
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="TCP port. Default 8080, apart from every port that serves users; 0 takes a free one (several processes on one machine).",
    )


class TlsSettings(SettingsGroup):
    """The certificate of a process' own public port, read again when its files change."""

    cert_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate chain, leaf first (tls.crt of a Secret). Default none: plain HTTP, for a gateway in front that ends TLS. Needs key_file.",
    )
    key_file: Path | None = Field(
        default=None,
        description="PEM file with the private key of cert_file, without passphrase (tls.key of a Secret). Default none. Needs cert_file.",
    )
    reload_seconds: int = Field(
        default=10,
        ge=1,
        le=3600,
        description="Seconds between two looks whether the files have changed. Default 10: cheap, and long before an old certificate expires.",
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("KRAUT_TLS_CERT_FILE and KRAUT_TLS_KEY_FILE are set both or not at all")
        return self


class HomeSettings(SettingsGroup):
    """Which home cluster this process serves."""

    id: str | None = Field(
        default=None,
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Id of the home cluster, first part of workflow ids and task queues. Default none: the uid of the namespace kube-system, unique among the clusters that share a Temporal.",
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: ``default`` as a person would write it, empty when there is none."""

    variable: str
    group: str
    type: str
    default: str
    description: str
    required: bool = False


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_settings(cls: type[SettingsT]) -> SettingsT:
    """Read ``cls`` from the environment. Raises SettingsError, which names every variable that cannot be."""
    try:
        return cls()
    except ValidationError as error:
        settings = {setting.variable: setting for setting in describe_settings(cls)}
        sentences = [sentence for detail in error.errors() for sentence in _sentences(dict(detail), settings)]
        raise SettingsError("; ".join(sentences)) from None


def _sentences(detail: dict[str, Any], settings: dict[str, "Setting"]) -> list[str]:
    variable = PREFIX + "_".join(str(part) for part in detail["loc"]).upper()
    if detail["type"] == "missing":
        # Of a group without any variable pydantic names the group only.
        needed = [name for name in settings if settings[name].required and f"{name}_".startswith(f"{variable}_")]
        return [f"{name} must be set: {settings[name].description}" for name in needed]
    if detail["type"] == "extra_forbidden":
        group = "_".join(variable.split("_")[:2]) + "_"
        mine = ", ".join(sorted(name for name in settings if name.startswith(group)))
        return [
            f"{variable} is not a setting (those of its group: {mine}); a Service of that name also sets it unless the pod says enableServiceLinks: false"
        ]
    return [f"{variable}: {detail['msg'].removeprefix('Value error, ')}"]


def describe_settings(cls: type[Settings]) -> list[Setting]:
    """Every variable that ``cls`` reads, in the order of its groups and their fields."""
    return [setting for name, field in cls.model_fields.items() for setting in _describe_group(name, field)]


def _describe_group(name: str, field: FieldInfo) -> Iterator[Setting]:
    group = field.annotation
    if not (isinstance(group, type) and issubclass(group, SettingsGroup)):
        raise TypeError(f"settings are grouped: {name} must be a SettingsGroup, it is {group!r}")
    # A group with a required field has no default of its own.
    defaults = None if field.is_required() else field.get_default(call_default_factory=True)
    for key, value in group.model_fields.items():
        # a factory asks the machine, so what it says here is nobody else's default
        default = None if value.default_factory else getattr(defaults, key, value.default)
        yield Setting(
            variable=f"{PREFIX}{name}_{key}".upper(),
            group=(group.__doc__ or "").strip(),
            type=_type_name(value.annotation),
            default="" if value.is_required() else _shown(default),
            description=value.description or "",
            required=value.is_required(),
        )


def _shown(default: Any) -> str:
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _type_name(annotation: Any) -> str:
    text = getattr(annotation, "__name__", str(annotation)) if isinstance(annotation, type) else str(annotation)
    text = text.replace("typing.", "").replace("pathlib.", "").replace(" | None", "")
    if text.startswith("Literal["):
        return " or ".join(
            part.strip().strip("'") for part in text.removeprefix("Literal[").removesuffix("]").split(",")
        )
    return {"str": "string", "int": "integer", "bool": "boolean", "Path": "path"}.get(text, text)
