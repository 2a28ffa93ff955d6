"""How a Cluster is reached: its spec and the one Secret that this may name."""

from kraut_core.api.meta import ObservedReference
from kraut_core.api.v1alpha1.cluster import Access, Cluster
from kraut_core.errors import ForbiddenError, KrautError, NotFoundError, SecretError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.objects import Secret
from kraut_worker.ports import ClusterTarget


def secret_name(access: Access) -> str:
    """The Secret that an access needs; empty when it needs none (pure)."""
    if access.kubeconfig is not None:
        return access.kubeconfig.secret_ref.name
    if access.exchange is not None and access.exchange.client_authentication.secret_ref is not None:
        return access.exchange.client_authentication.secret_ref.name
    return ""


async def read_target(
    kube: KubeClient, cluster: Cluster
) -> tuple[ClusterTarget | KrautError, tuple[ObservedReference, ...]]:
    """The target, or why there is none; and what was referred to as it was seen, so that a change of it is noticed."""
    name, namespace = secret_name(cluster.spec.access), cluster.metadata.namespace
    if not name:
        return _target(cluster), ()
    missing = ObservedReference(kind="Secret", name=name)
    try:
        secret = await kube.get_secret(namespace, name)
    except NotFoundError:
        message = (
            f"Secret {name} does not exist in namespace {namespace}: create it, or correct the Cluster's secretRef"
        )
        return SecretError(message, reason="SecretNotFound"), (missing,)
    except ForbiddenError as error:
        message = (
            f"kraut-worker may not read Secret {name} in namespace {namespace}: bind the ClusterRole kraut-worker-namespaced there, "
            f"then annotate the Cluster with kraut.dev/requested-at ({error.message})"
        )
        return SecretError(message, reason="SecretForbidden"), (missing,)
    seen = ObservedReference(kind="Secret", name=name, uid=secret.uid, version=secret.resource_version)
    return _target(cluster, secret), (seen,)


def _target(cluster: Cluster, secret: Secret | None = None) -> ClusterTarget:
    metadata = cluster.metadata
    return ClusterTarget(
        uid=metadata.uid,
        generation=metadata.generation,
        namespace=metadata.namespace,
        access=cluster.spec.access,
        secret_name=secret.name if secret else "",
        secret_version=secret.resource_version if secret else "",
        secret=secret.data if secret else {},
    )
