"""Every way to ask has a deadline, in front of a server that accepts and says nothing, and of a plugin that does not end."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kraut_core.errors import ApiServerError, PermanentError
from kraut_core.kube import config
from kraut_core.kube.client import KubeClient
from kraut_core.kube.config import find_access


def write_kubeconfig(folder: Path, server: str, user: dict[str, object]) -> str:
    file = folder / "kubeconfig"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))
    return str(file)


@pytest.fixture(params=["nothing", "the beginning of an answer"])
async def mute(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The kubeconfig of a server that says nothing, or begins to answer and says no more."""
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" if request.param != "nothing" else b""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        with suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield write_kubeconfig(tmp_path, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {"token": "t"})
    server.close()
    await server.wait_closed()


ASKING: dict[str, Callable[[KubeClient], Awaitable[object]]] = {
    "request": lambda client: client.get_raw("/version"),
    "read": lambda client: client.transport.read("/openid/v1/jwks", max_bytes=1000),
}


@pytest.mark.parametrize("way", ASKING)
async def test_a_server_that_says_nothing_is_no_answer(way: str, mute: str) -> None:
    async with KubeClient.connect(mute, timeout_seconds=0.5) as client, asyncio.timeout(30):
        with pytest.raises(ApiServerError, match="no answer from") as caught:
            await ASKING[way](client)
    assert caught.value.status == 0


async def test_a_plugin_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", f"echo $$ >>{started}; exec sleep 600"],
        "interactiveMode": "Never",
    }
    access = find_access(write_kubeconfig(tmp_path, "https://one.example", {"exec": plugin}))
    # It may be given up before it had time to begin.
    for seconds in (0.5, 5, 60):
        monkeypatch.setattr(config, "LOAD_SECONDS", seconds)
        async with asyncio.timeout(150):
            with pytest.raises(PermanentError, match="cannot use") as caught:
                await access.authorization()
        assert caught.value.reason == "KubeconfigInvalid"
        if started.exists() and started.read_text():
            break
    for plugin_id in map(int, started.read_text().split()):
        with suppress(ProcessLookupError):
            os.kill(plugin_id, signal.SIGKILL)
        async with asyncio.timeout(150):
            while Path(f"/proc/{plugin_id}").exists():
                await asyncio.sleep(0.01)
