"""How a Host is reached: its spec, what its status pinned, and the credentials its Secrets hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from kraut_core.api.meta import ObjectMeta, ObservedReference
from kraut_core.api.v1alpha1.host import Endpoint, Host
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicy, UpgradePolicySpec
from kraut_core.errors import ForbiddenError, InvalidSpecError, NotFoundError, PermanentError, SecretError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.kube.objects import Secret
from kraut_worker.planning import verdicts
from kraut_worker.planning.scene import Problem
from kraut_worker.ports import Credentials, HostTarget

PRIVATE_KEY = "ssh-privatekey"
PASSPHRASE = "passphrase"  # noqa: S105 (the name of a key in a Secret, as in kubernetes.io/ssh-auth)
PASSWORD = "password"  # noqa: S105


@dataclass(frozen=True, slots=True)
class References:
    """What a Host refers to, as it was read; ``observed`` tells the operator which versions were seen."""

    observed: tuple[ObservedReference, ...]
    target: HostTarget | None
    problem: Problem | None
    policy: UpgradePolicy | None
    policy_missing: bool
    policy_problem: Problem | None = None
    """Why the policy cannot be read."""

    @property
    def policy_spec(self) -> UpgradePolicySpec:
        """The policy's spec; the defaults when the Host names none."""
        return self.policy.spec if self.policy is not None else UpgradePolicySpec()


async def read_references(kube: KubeClient, host: Host) -> References:
    """Read the Secrets and the policy that a Host names; what is missing is a problem, not an error."""
    observed: list[ObservedReference] = []
    policy, policy_problem = None, None
    try:
        policy = await _read_policy(kube, host, observed)
    except PermanentError as error:
        policy_problem = Problem.of(error)
    target, problem = await _try_target(kube, host, observed)
    return References(
        observed=tuple(observed),
        target=target,
        problem=problem,
        policy=policy,
        policy_missing=host.spec.upgrade_policy_ref is not None and policy is None and policy_problem is None,
        policy_problem=policy_problem,
    )


async def read_target(kube: KubeClient, host: Host) -> tuple[HostTarget | None, Problem | None]:
    """How a Host is reached, or why that cannot be told."""
    return await _try_target(kube, host, [])


async def _try_target(
    kube: KubeClient, host: Host, observed: list[ObservedReference]
) -> tuple[HostTarget | None, Problem | None]:
    try:
        return await _read_target(kube, host, observed), None
    except SecretError as error:
        return None, Problem.of(error)


async def _read_target(kube: KubeClient, host: Host, observed: list[ObservedReference]) -> HostTarget:
    # Both Secrets are read before either is complained about, so that both are observed and either's repair is noticed.
    own = await _read_secret(kube, host, host.spec, observed)
    jump = await _read_secret(kube, host, host.spec.jump_host, observed) if host.spec.jump_host is not None else None
    for found in (own, jump):
        if isinstance(found, SecretError):
            raise found
    return make_target(host, cast("Secret", own), cast("Secret | None", jump))


async def _read_secret(
    kube: KubeClient, host: Host, endpoint: Endpoint, observed: list[ObservedReference]
) -> Secret | SecretError:
    name = endpoint.credentials_ref.name
    try:
        secret = await kube.get_secret(host.metadata.namespace, name)
    except NotFoundError:
        _remember(observed, ObservedReference(kind="Secret", name=name))
        return SecretError(
            f"Secret {name} does not exist in namespace {host.metadata.namespace}: create it with the key {PRIVATE_KEY} "
            f"(and {PASSPHRASE} if the key has one) or {PASSWORD}",
            reason="SecretNotFound",
        )
    except ForbiddenError as error:
        _remember(observed, ObservedReference(kind="Secret", name=name))
        return SecretError(
            f"kraut-worker may not read Secret {name} in namespace {host.metadata.namespace}: bind the ClusterRole "
            f"kraut-worker-namespaced there, then annotate the Host with kraut.dev/requested-at ({error.message})",
            reason="SecretForbidden",
        )
    _remember(observed, ObservedReference(kind="Secret", name=name, uid=secret.uid, version=secret.resource_version))
    return secret


def _remember(observed: list[ObservedReference], reference: ObservedReference) -> None:
    if reference not in observed:
        observed.append(reference)


async def _read_policy(kube: KubeClient, host: Host, observed: list[ObservedReference]) -> UpgradePolicy | None:
    reference = host.spec.upgrade_policy_ref
    if reference is None:
        return None
    try:
        policy = await kube.get(UpgradePolicy, host.metadata.namespace, reference.name)
    except NotFoundError:
        _remember(observed, ObservedReference(kind="UpgradePolicy", name=reference.name))
        return None
    except ForbiddenError as error:
        _remember(observed, ObservedReference(kind="UpgradePolicy", name=reference.name))
        raise ForbiddenError(
            f"kraut-worker may not read UpgradePolicy {reference.name} in namespace {host.metadata.namespace}: bind the "
            f"ClusterRole kraut-worker there, then annotate the Host with kraut.dev/requested-at ({error.message})",
            reason=verdicts.UPGRADE_POLICY_FORBIDDEN,
        ) from error
    except InvalidSpecError as error:
        path = paths.item(as_kind(UpgradePolicy), host.metadata.namespace, reference.name)
        found = ObjectMeta.model_validate((await kube.get_raw(path))["metadata"])
        _remember(observed, _seen(found))
        raise InvalidSpecError(error.message, reason=verdicts.UPGRADE_POLICY_INVALID) from error
    _remember(observed, _seen(policy.metadata))
    return policy


def _seen(policy: ObjectMeta) -> ObservedReference:
    return ObservedReference(kind="UpgradePolicy", name=policy.name, uid=policy.uid, version=str(policy.generation))


def make_target(host: Host, secret: Secret, jump_secret: Secret | None) -> HostTarget:
    """The target that spec, status and Secrets make (pure). Raises SecretError for a Secret that cannot be used."""
    spec, status = host.spec, host.status
    recorded = tuple(status.host_keys) if status is not None else ()
    first_use = spec.host_key_policy == "TrustOnFirstUse" and not spec.host_keys
    jump = None
    if spec.jump_host is not None and jump_secret is not None:
        jump = HostTarget(
            address=spec.jump_host.address,
            user=spec.jump_host.user,
            port=spec.jump_host.port,
            host_keys=tuple(spec.jump_host.host_keys),
            credentials=parse_credentials(jump_secret.name, jump_secret.data),
            uid=host.metadata.uid,
        )
    return HostTarget(
        address=spec.address,
        user=spec.user,
        port=spec.port,
        host_keys=recorded if first_use else tuple(spec.host_keys),
        trust_on_first_use=first_use and not recorded,
        credentials=parse_credentials(secret.name, secret.data),
        jump_host=jump,
        machine_id=status.host_info.machine_id if status is not None and status.host_info is not None else "",
        uid=host.metadata.uid,
    )


def parse_credentials(name: str, data: Mapping[str, bytes]) -> Credentials:
    """Credentials out of a Secret's data. Raises SecretError when there is nothing to log in with."""
    if not data.get(PRIVATE_KEY) and not data.get(PASSWORD):
        found = ", ".join(sorted(data)) or "no keys at all"
        raise SecretError(
            f"Secret {name} needs the key {PRIVATE_KEY} or {PASSWORD}, it has {found}", reason="SecretIncomplete"
        )
    return Credentials(
        private_key=data.get(PRIVATE_KEY) or None,
        passphrase=_text(name, data, PASSPHRASE),
        password=_text(name, data, PASSWORD),
    )


def _text(name: str, data: Mapping[str, bytes], key: str) -> str | None:
    value = data.get(key)
    if not value:
        return None
    try:
        return value.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError(f"key {key} of Secret {name} is not UTF-8 text", reason="SecretInvalid") from None
