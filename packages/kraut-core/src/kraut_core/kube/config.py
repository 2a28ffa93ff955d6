"""Where the API server is and how to authenticate to it: a kubeconfig, or the pod's service account.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

import asyncio
import math
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kraut_core.errors import KrautError, PermanentError
from kraut_core.kube.library import loaders

TOKEN_FILE_SECONDS = 60.0
"""Token files are read again after this; kubelet replaces them at 80 % of their life, which is ten minutes at least."""
LOOK_SECONDS = 1.0
"""Between two looks at the files of the configuration: whoever changes one need not restart anything."""
RENEW_SECONDS = 5.0
"""An HTTP 401 reloads the configuration, but not more often than this: exec plugins may cost a login."""
LOAD_SECONDS = 60.0
"""Deadline of an exec plugin."""
EXPIRY_MARGIN_SECONDS = 300.0
"""An exec plugin's token is replaced this long before it expires, at the latest after half its life."""

Seen = dict[Path, tuple[int, int, int] | None]
"""Files, and by what one sees that they changed: time of the change, size, inode; None for one that is not there."""

Load = Callable[[Any, str], Awaitable[float]]
"""Fills a kubernetes_asyncio Configuration, writing inline keys below the given folder; returns how long it holds, in seconds."""


class Access:
    """One API server and one identity on it; use it from one event loop at a time.

    ``server`` is the URL without a trailing slash; ``tls`` verifies it and holds the client certificate, if there is one.
    All of it is as the configuration says at the time of the last request: ``files``, and what they name, are looked at again.
    """

    server: str
    proxy: str | None
    server_name: str | None
    tls: ssl.SSLContext

    def __init__(self, load: Load, *, source: str, files: Iterable[Path] = ()) -> None:
        self._load = load
        self._source = source
        self._files = frozenset(files)
        self._seen: Seen = {}
        self._looked_at = -math.inf
        self._loaded_at = -math.inf
        self._holds = 0.0
        self._authorization: str | None = None
        self._loading = asyncio.Lock()

    async def authorization(self, *, renew: bool = False) -> str | None:
        """The Authorization header; read again when it grows old, when a file changed, and with ``renew`` after an HTTP 401."""
        async with self._loading:
            age = time.monotonic() - self._loaded_at
            if age >= self._holds or (renew and age >= RENEW_SECONDS):
                await self._reload()
            elif self._changed():
                await self._follow()
            return self._authorization

    async def _follow(self) -> None:
        try:
            await self._reload()
        except PermanentError:
            # What is written in pieces is not whole yet; until it is, what was read before is better than nothing.
            self._looked_at += RENEW_SECONDS

    def _changed(self) -> bool:
        now = time.monotonic()
        if not self._seen or now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        return _look(self._seen) != self._seen

    async def _reload(self) -> None:
        import yaml  # noqa: PLC0415 - the loaders bring it

        _, _, configuration_class = loaders()
        configuration = configuration_class()
        # Looked at before they are read: what changes in between is a change.
        seen = _look(self._files)
        try:
            with TemporaryDirectory(prefix="kraut-") as folder:
                # Inline keys pass through files only because OpenSSL reads nothing else.
                holds = await asyncio.wait_for(self._load(configuration, folder), LOAD_SECONDS)
                named = [path for path in _named_files(configuration) if not path.is_relative_to(folder)]
                seen |= _look(named)
                self._take(configuration)
        except KrautError:
            raise
        except (yaml.YAMLError, UnicodeDecodeError):
            # Their text quotes the line at fault, which may hold a token.
            raise _unusable(self._source, "it is not YAML") from None
        except Exception as error:
            raise _unusable(self._source, str(error) or type(error).__name__) from error
        self._loaded_at = self._looked_at = time.monotonic()
        self._holds, self._seen = holds, seen

    def _take(self, configuration: Any) -> None:
        # First what may fail: never a new server with old authorities.
        self.tls = _tls_context(configuration)
        self.server = str(configuration.host).rstrip("/")
        self.proxy = configuration.proxy
        self.server_name = configuration.tls_server_name
        token = configuration.api_key.get("BearerToken")
        self._authorization = token.strip() if token else None


def _unusable(source: str, reason: str) -> PermanentError:
    return PermanentError(f"cannot use {source}: {reason}; check the file and the context", reason="KubeconfigInvalid")


def _tls_context(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        # insecure-skip-tls-verify: the owner of the kubeconfig said so, as with kubectl.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Python >= 3.13 refuses authorities without a key usage extension, which many clusters have and Go accepts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _named_files(configuration: Any) -> list[Path]:
    return [Path(file) for file in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file) if file]


def _look(paths: Iterable[Path]) -> Seen:
    return {path: _state(path) for path in paths}


def _state(path: Path) -> tuple[int, int, int] | None:
    """Differs for another content; through links, since those of a mounted Secret are what changes."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def find_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """``kubeconfig`` (paths separated as in KUBECONFIG), else KUBECONFIG, else the pod's, else ``~/.kube/config``.

    The order is controller-runtime's GetConfig.
    """
    kube_config, incluster_config, _ = loaders()
    default = str(kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
    named = kubeconfig or (default if default != (Path.home() / ".kube/config").as_posix() else None)
    if named is None and Path(incluster_config.SERVICE_TOKEN_FILENAME).is_file():
        return Access(_load_in_cluster, source="the pod's service account")
    paths = named or default
    files = _files(paths)
    return Access(lambda target, folder: _load_kubeconfig(target, folder, paths, context), source=paths, files=files)


def _files(paths: str) -> list[Path]:
    return [Path(path).expanduser() for path in paths.split(os.pathsep) if path]


async def _load_kubeconfig(target: Any, folder: str, paths: str, context: str | None) -> float:
    kube_config, _, _ = loaders()
    if not any(file.is_file() for file in _files(paths)):
        raise FileNotFoundError("no such file")
    loader = await kube_config.load_kube_config(paths, context, target, temp_file_path=folder)
    user = vars(loader)["_user"]
    if user is not None and "tokenFile" in user:
        return TOKEN_FILE_SECONDS
    if user is not None and "auth-provider" in user:
        return TOKEN_FILE_SECONDS
    return _seconds_until(getattr(loader, "exec_plugin_expiry", None))


def _seconds_until(expiry: datetime | None) -> float:
    if expiry is None:
        return math.inf
    left = (expiry - datetime.now(UTC)).total_seconds()
    return max(left - EXPIRY_MARGIN_SECONDS, left / 2, RENEW_SECONDS)


async def _load_in_cluster(target: Any, _folder: str) -> float:
    _, incluster_config, _ = loaders()
    incluster_config.load_incluster_config(client_configuration=target, try_refresh_token=False)
    return TOKEN_FILE_SECONDS
