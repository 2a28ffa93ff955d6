"""Cluster: a Kubernetes cluster that kraut reaches; what is to become of it (bootstrap, upgrades) joins the same kind."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from kraut_core.api.kinds import Column, Kind, Reference, Rule
from kraut_core.api.meta import Boolean, LocalObjectReference, ReconcileStatus, Resource, WireModel

_LABEL: Final = r"[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?"
_GROUPS: Final = r"[0-9a-f]{1,4}(:[0-9a-f]{1,4})"
_IPV6: Final = rf"\[{_GROUPS}{{7}}\]|\[({_GROUPS}{{0,6}})?::({_GROUPS}{{0,6}})?\]"
HTTPS_PATTERN: Final = rf"^https://({_LABEL}(\.{_LABEL})*|{_IPV6})(:[0-9]{{1,5}})?(/[A-Za-z0-9._~!$&'()*+,=:@%\-]+)*/?$"
"""As ``kraut_core.identity.urls.check_url``, as far as a pattern can."""
CA_BUNDLE_PATTERN: Final = r"^LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t[A-Za-z0-9+/]+={0,2}$"
"""Base64 of text that begins with ``-----BEGIN CERTIFICATE-----``."""
VISIBLE_PATTERN: Final = r"^[!-~]+$"
"""Printable ASCII without blanks."""

HttpsUrl = Annotated[str, Field(min_length=9, max_length=512, pattern=HTTPS_PATTERN)]
CaBundle = Annotated[str, Field(max_length=65_536, pattern=CA_BUNDLE_PATTERN)]
Visible = Annotated[str, Field(min_length=1, max_length=512, pattern=VISIBLE_PATTERN)]
AccountName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
]

ONE_WAY: Final = "access needs exactly one of kubeconfig, direct and exchange"
CREDENTIAL: Final = "clientAuthentication by ClientSecretBasic, ClientSecretPost or PrivateKeyJWT needs clientID and secretRef; the other methods take no secretRef"
PARAMETERS: Final = "parameters must be named once each, and not as what kraut sets itself: grant_type, subject_token, assertion, client_id, client_secret, client_assertion, client_assertion_type"
RESERVED_PARAMETERS: Final = (
    "grant_type",
    "subject_token",
    "assertion",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
)
WITH_SECRET: Final = ("ClientSecretBasic", "ClientSecretPost", "PrivateKeyJWT")

_CA = "Base64 of the PEM certificates of the authorities that its certificate may come from; default: those of the worker's system."
_ACCOUNT = "ServiceAccount in the Cluster's namespace whose identity kraut takes there; the worker gets its tokens by TokenRequest."
_AUDIENCE = (
    "Audience of the token that the API server is shown: one per cluster, never one of this cluster's own API server."
)


class KubeconfigAccess(WireModel):
    """A kubeconfig in a Secret: for clusters that cannot trust an issuer. Only inline data; nothing of it is executed."""

    secret_ref: LocalObjectReference = Field(description="Secret with the kubeconfig.")
    key: str = Field(
        default="kubeconfig",
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Key in the Secret. Default kubeconfig; Cluster API writes value.",
    )
    context: str | None = Field(
        default=None, min_length=1, max_length=253, description="Context to use; default: its current one."
    )


class ServerAccess(WireModel):
    """Where the API server is, and whose token it is shown."""

    server: HttpsUrl = Field(description="URL of the API server, in lower case.")
    ca_bundle: CaBundle | None = Field(default=None, description=_CA)
    audience: Visible = Field(description=_AUDIENCE)
    service_account_name: AccountName = Field(description=_ACCOUNT)


class DirectAccess(ServerAccess):
    """The API server trusts this cluster's issuer (AuthenticationConfiguration): no secret at all."""


class Parameter(WireModel):
    """A form parameter that only this provider knows, for example Dex's connector_id."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$", description="Its name.")
    value: str = Field(min_length=1, max_length=512, description="Its value; never a secret.")


class Provider(WireModel):
    """Where a token of this cluster is exchanged for one that the API server trusts, and how."""

    token_endpoint: HttpsUrl = Field(description="URL of the token endpoint.")
    ca_bundle: CaBundle | None = Field(default=None, description=_CA)
    grant_type: Literal["TokenExchange", "JWTBearer", "ClientCredentials"] = Field(
        default="TokenExchange",
        description="TokenExchange (RFC 8693), JWTBearer (RFC 7523), or ClientCredentials (RFC 6749): the client itself acts, with method ServiceAccount that is the account. Default TokenExchange.",
    )
    subject_audience: Visible = Field(
        description="Audience that the service account's token must have there, by habit the provider's issuer."
    )
    subject_token_type: Literal["JWT", "IDToken", "AccessToken"] = Field(
        default="JWT",
        description="What the token is called there (RFC 8693 section 3). Default JWT; Dex wants IDToken.",
    )
    requested_token_type: Literal["JWT", "IDToken", "AccessToken"] | None = Field(
        default=None, description="What is asked for; default: the provider chooses. Dex wants IDToken."
    )
    send_audience: Boolean = Field(
        default=True,
        description="Whether the audience is asked for; otherwise it follows from the client, as with Dex. Default true.",
    )
    resource: Visible | None = Field(default=None, description="RFC 8693's resource, for providers that want it.")
    scopes: list[Visible] = Field(default_factory=list, max_length=16, description="Scopes to ask for.")
    parameters: list[Parameter] = Field(
        default_factory=list, max_length=16, description="Form parameters that only this provider knows."
    )

    @model_validator(mode="after")
    def _once_and_free(self) -> Self:
        names = [parameter.name for parameter in self.parameters]
        if len(names) != len(set(names)) or set(names) & set(RESERVED_PARAMETERS):
            raise ValueError(PARAMETERS)
        return self


class ClientAuthentication(WireModel):
    """How kraut shows the provider which client it is (RFC 6749 section 2.3, RFC 7523 section 2.2)."""

    method: Literal["None", "ClientSecretBasic", "ClientSecretPost", "PrivateKeyJWT", "ServiceAccount"] = Field(
        default="None", description="ServiceAccount: the account's own token is the client's assertion. Default None."
    )
    client_id: Visible | None = Field(default=None, alias="clientID", description="The client's id.")
    secret_ref: LocalObjectReference | None = Field(
        default=None,
        description="Secret with client-secret, or for PrivateKeyJWT with tls.key (PEM, as in kubernetes.io/tls).",
    )
    key_id: Visible | None = Field(default=None, alias="keyID", description="PrivateKeyJWT: the key's id, if needed.")
    algorithm: Literal["RS256", "PS256", "ES256", "ES384"] = Field(
        default="RS256", description="PrivateKeyJWT: what the assertion is signed with. Default RS256."
    )

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        fits = self.secret_ref is not None and self.client_id is not None
        if not (fits if self.method in WITH_SECRET else self.secret_ref is None):
            raise ValueError(CREDENTIAL)
        return self


class ExchangeAccess(ServerAccess):
    """The API server trusts a provider, which trusts this cluster's issuer."""

    provider: Provider = Field(description="Where and how the token is exchanged.")
    client_authentication: ClientAuthentication = Field(
        default_factory=ClientAuthentication, description="Which client asks, and how it shows that."
    )


class Access(WireModel):
    """How kraut reaches the cluster: exactly one way."""

    kubeconfig: KubeconfigAccess | None = Field(default=None, description="By a kubeconfig in a Secret.")
    direct: DirectAccess | None = Field(default=None, description="By tokens of this cluster's issuer.")
    exchange: ExchangeAccess | None = Field(default=None, description="By tokens of a provider.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.kubeconfig, self.direct, self.exchange)) != 1:
            raise ValueError(ONE_WAY)
        return self


class ClusterSpec(WireModel):
    """What a person says of a cluster."""

    access: Access = Field(description="How kraut reaches it.")
    issuer: Visible | None = Field(
        default=None,
        description="Issuer of its service account tokens, if it is known: another one there is another cluster.",
    )


class ClusterStatus(ReconcileStatus):
    """What kraut observed of a cluster."""

    reachable: Boolean | None = Field(
        default=None,
        description="Whether its API server answered with a trusted certificate at the last look; absent before the first.",
    )
    version: str = Field(default="", max_length=128, description="Version of its API server, as in v1.37.2.")
    issuer: str = Field(default="", max_length=1024, description="Issuer of its service account tokens.")
    username: str = Field(default="", max_length=1024, description="Who kraut is there, as its RBAC names it.")
    workflow_id: str = Field(
        default="", alias="workflowID", max_length=1024, description="Temporal workflow id of this cluster."
    )


class Cluster(Resource[ClusterSpec, ClusterStatus]):
    """A Kubernetes cluster that kraut reaches."""

    KIND: ClassVar[str] = "Cluster"
    kind: Literal["Cluster"] = "Cluster"


KIND = Kind(
    model=Cluster,
    plural="clusters",
    short_names=("kcl",),
    reconciled=True,
    columns=(
        Column("Version", ".status.version"),
        Column("Reachable", ".status.reachable", type="boolean"),
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Reason", ".status.conditions[?(@.type=='Ready')].reason", priority=1),
        Column("Issuer", ".status.issuer", priority=1),
        Column("User", ".status.username", priority=1),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
    references=(
        Reference(("spec", "access", "kubeconfig", "secretRef", "name"), "Secret", "resourceVersion"),
        Reference(
            ("spec", "access", "exchange", "clientAuthentication", "secretRef", "name"), "Secret", "resourceVersion"
        ),
    ),
    rules=(
        Rule(
            ("spec", "access"),
            "[has(self.kubeconfig), has(self.direct), has(self.exchange)].exists_one(way, way)",
            ONE_WAY,
        ),
        Rule(
            ("spec", "access", "exchange", "provider"),
            "!has(self.parameters) || self.parameters.all(one, self.parameters.exists_one(other, other.name == one.name) && "
            f"!(one.name in {[*RESERVED_PARAMETERS]}))",
            PARAMETERS,
        ),
        Rule(
            ("spec", "access", "exchange", "clientAuthentication"),
            f"has(self.method) && self.method in {[*WITH_SECRET]} ? has(self.secretRef) && has(self.clientID) : !has(self.secretRef)",
            CREDENTIAL,
        ),
    ),
)
