"""A cluster that should trust the issuer: what it makes of a bearer's token."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from kraut_cli.failures import CommandError
from kraut_cli.oidc.observations import Presented
from kraut_core.errors import KrautError
from kraut_core.kube.client import KubeClient

REVIEWS: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REVIEW: Final = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_DEFAULT: Final = "~/.kube/config"


class Target:
    """A cluster by a context of a kubeconfig, of which only server and authority are used, never its credentials."""

    def __init__(self, kubeconfig: str | None, context: str) -> None:
        """Raises CommandError when there is no such context."""
        self.name = context
        self._cluster = find_cluster(_documents(kubeconfig), context)

    async def present(self, token: str) -> Presented:
        """Who it takes the bearer for (SelfSubjectReview); its refusal is in ``error``."""
        with _kubeconfig(self._cluster, token) as path:
            try:
                async with KubeClient.connect(str(path)) as client:
                    answer = await client.post_raw(REVIEWS, _REVIEW)
            except KrautError as error:
                return Presented(self.name, error=error)
        user = answer["status"]["userInfo"]
        return Presented(self.name, str(user.get("username", "")), tuple(user.get("groups") or ()))


def find_cluster(documents: list[dict[str, Any]], context: str) -> dict[str, Any]:
    """The cluster of a context over decoded kubeconfig files (pure). Raises CommandError when there is none."""
    named = _find(documents, "contexts", context, "context")
    cluster = _find(documents, "clusters", str(named.get("cluster", "")), "cluster")
    if not cluster.get("server"):
        raise CommandError(f"the context {context!r} should lead to a cluster with a server, it does not")
    return cluster


def _find(documents: list[dict[str, Any]], section: str, name: str, member: str) -> dict[str, Any]:
    for document in documents:
        for entry in document.get(section) or []:
            if entry.get("name") == name:
                return dict(entry.get(member) or {})
    raise CommandError(f"the kubeconfig should have {name!r} among its {section}, it has not; name another context")


def _documents(kubeconfig: str | None) -> list[dict[str, Any]]:
    paths = [Path(path).expanduser() for path in (kubeconfig or _DEFAULT).split(os.pathsep) if path]
    found = []
    for path in paths:
        try:
            document = yaml.safe_load(path.read_text())
        except OSError as error:
            raise CommandError(f"{path} should be a kubeconfig ({error.strerror}); name another --kubeconfig") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            # Their text quotes the line at fault, which may hold a token.
            raise CommandError(f"{path} should be a kubeconfig (YAML), it is not; correct it") from None
        if isinstance(document, dict):
            found.append(_absolute(document, path.parent))
    return found


def _absolute(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    for entry in document.get("clusters") or []:
        cluster = entry.get("cluster") or {}
        if authority := cluster.get("certificate-authority"):
            cluster["certificate-authority"] = str(folder / authority)
    return document


@contextmanager
def _kubeconfig(cluster: dict[str, Any], token: str) -> Iterator[Path]:
    # In files that only this user can read, for as long as one request takes.
    with TemporaryDirectory(prefix="kraut-") as folder:
        file, path = Path(folder) / "token", Path(folder) / "kubeconfig"
        file.write_text(token)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "target", "cluster": cluster}],
            "users": [{"name": "bearer", "user": {"tokenFile": str(file)}}],
            "contexts": [{"name": "target", "context": {"cluster": "target", "user": "bearer"}}],
            "current-context": "target",
        }
        path.write_text(json.dumps(document))
        yield path
