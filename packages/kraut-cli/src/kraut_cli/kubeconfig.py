"""The namespace of a kubeconfig's context; everything else in it is the client's business.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/: of several files the first to
set a value wins.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_DEFAULT: Final = "~/.kube/config"


def context_namespace(kubeconfig: str | None, context: str | None) -> str | None:
    """The namespace of ``context`` (of the current one for None); None when there is none, or no readable file.

    A file that cannot be read is not reported here: the client reads it again and says what is wrong with it.
    """
    paths = [Path(path).expanduser() for path in (kubeconfig or _DEFAULT).split(os.pathsep) if path]
    return namespace_in([document for path in paths if (document := _read(path))], context)


def namespace_in(documents: Sequence[dict[str, Any]], context: str | None) -> str | None:
    """The namespace of a context over decoded kubeconfig files, in their order (pure)."""
    wanted = context or next((name for document in documents if (name := document.get("current-context"))), None)
    for document in documents:
        for entry in document.get("contexts") or []:
            if entry.get("name") == wanted:
                namespace = (entry.get("context") or {}).get("namespace")
                return str(namespace) if namespace else None
    return None


def _read(path: Path) -> dict[str, Any] | None:
    import yaml  # noqa: PLC0415 - every command imports this module, few read a file

    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        return None
    return document if isinstance(document, dict) else None
