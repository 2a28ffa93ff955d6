"""What the library does with inline data: files that nobody shares, and nothing that grows with each reading."""

import asyncio
import base64
import json
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kraut_core.kube.library import loaders


@pytest.fixture
def authority(tmp_path: Path) -> bytes:
    """A certificate, PEM."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, "-subj", "/CN=u"], check=True, capture_output=True)
    return certificate.read_bytes()


@pytest.fixture
def kubeconfig(tmp_path: Path, authority: bytes) -> str:
    """One with an inline authority and a token file, which is read again each minute."""
    token, file = tmp_path / "token", tmp_path / "kubeconfig"
    token.write_text("t")
    inline = base64.b64encode(authority).decode()
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://one.example", "certificate-authority-data": inline}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"tokenFile": str(token)}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))
    return str(file)


def test_reading_again_keeps_nothing_open_and_nothing_in_memory(kubeconfig: str) -> None:
    program = f"""
import asyncio, atexit, os
from kraut_core.kube.config import find_access
async def main():
    await find_access({kubeconfig!r}).authorization()
    before = len(os.listdir("/proc/self/fd")), atexit._ncallbacks()
    for _ in range(20):
        await find_access({kubeconfig!r}).authorization()
    after = len(os.listdir("/proc/self/fd")), atexit._ncallbacks()
    assert after == before, (before, after)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_two_threads_read_at_once_are_two_files(kubeconfig: str, authority: bytes, tmp_path: Path) -> None:
    """The election has a thread of its own: what one removes must not be what the other is about to open."""
    both = threading.Barrier(2, timeout=30)

    async def read() -> Path:
        kube_config, _, configuration = loaders()
        with TemporaryDirectory(dir=tmp_path) as folder:
            target = configuration()
            await kube_config.load_kube_config(kubeconfig, None, target, temp_file_path=folder)
            both.wait()
            found = Path(target.ssl_ca_cert)
            assert found.read_bytes() == authority
            assert (found.parent, found.stat().st_mode & 0o777) == (Path(folder), 0o600)
            both.wait()
        return found

    async def run() -> list[Path]:
        return await asyncio.gather(*(asyncio.to_thread(asyncio.run, read()) for _ in range(2)))

    assert len(set(asyncio.run(run()))) == 2
