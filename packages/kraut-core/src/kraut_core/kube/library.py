"""kubernetes_asyncio's configuration loaders without its generated models.

Importing ``kubernetes_asyncio.config`` runs the package's ``__init__``, which imports every generated API: 3 s and
68 MB measured with 36.1.0, against 0.2 s and 2 MB for what a kubeconfig needs. The two packages above the loaders are
therefore put in place without running them, and taken away again, so that a later plain import gives the real ones.
"""

import importlib
import importlib.util
import sys
from functools import cache
from types import ModuleType
from typing import Any

_ROOT = "kubernetes_asyncio"
_CLIENT = "kubernetes_asyncio.client"


@cache
def loaders() -> tuple[Any, Any, Any]:
    """Return kubernetes_asyncio's ``(kube_config, incluster_config, Configuration)``."""
    if _ROOT not in sys.modules:
        _import_lightly()
    return (
        importlib.import_module(f"{_ROOT}.config.kube_config"),
        importlib.import_module(f"{_ROOT}.config.incluster_config"),
        importlib.import_module(f"{_CLIENT}.configuration").Configuration,
    )


def _import_lightly() -> None:
    _put_in_place(_ROOT)
    client = _put_in_place(_CLIENT)
    try:
        configuration = importlib.import_module(f"{_CLIENT}.configuration")
        vars(client).update(Configuration=configuration.Configuration, ApiClient=object)
        importlib.import_module(f"{_ROOT}.config")
    finally:
        for name in (_ROOT, _CLIENT):
            sys.modules.pop(name, None)


def _put_in_place(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed; install kraut-core[kube]", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    return module
