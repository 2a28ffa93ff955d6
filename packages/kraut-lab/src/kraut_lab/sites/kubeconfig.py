"""One kubeconfig with a context per site."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kraut_lab.files import write_atomically


def write_contexts(target: Path, kubeconfigs: Mapping[str, Path]) -> None:
    """Join kubeconfigs of one context each; contexts, clusters and users are named as the keys, the first is current."""
    documents = {name: yaml.safe_load(path.read_text()) for name, path in kubeconfigs.items()}
    write_atomically(target, yaml.safe_dump(join(documents), sort_keys=False))


def join(documents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The joined document (pure)."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": document["clusters"][0]["cluster"]} for name, document in documents.items()
        ],
        "users": [{"name": name, "user": document["users"][0]["user"]} for name, document in documents.items()],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}} for name in documents
        ],
        "current-context": next(iter(documents)),
    }
