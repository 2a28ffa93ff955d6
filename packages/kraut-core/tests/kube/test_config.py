"""kubeconfigs: what kubectl accepts works, what cannot be used is a sentence, and keys stay off the disk."""

import asyncio
import base64
import json
import ssl
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from kraut_core.errors import PermanentError
from kraut_core.kube import config
from kraut_core.kube.config import Access, find_access


def write_kubeconfig(path: Path, user: dict[str, object], cluster: dict[str, object] | None = None) -> Path:
    path.write_text(
        json.dumps(
            {
                "current-context": "one",
                "clusters": [{"name": "c", "cluster": {"server": "https://one.example:6443/", **(cluster or {})}}],
                "contexts": [
                    {"name": "one", "context": {"cluster": "c", "user": "u"}},
                    {"name": "two", "context": {"cluster": "c", "user": "v"}},
                ],
                "users": [{"name": "u", "user": user}, {"name": "v", "user": {"token": "other"}}],
            }
        )
    )
    return path


async def test_a_token_and_the_server(tmp_path: Path) -> None:
    access = find_access(str(write_kubeconfig(tmp_path / "k", {"token": "t"})))
    assert await access.authorization() == "Bearer t"
    assert access.server == "https://one.example:6443"
    assert access.tls.verify_mode is ssl.CERT_REQUIRED


async def test_another_context(tmp_path: Path) -> None:
    access = find_access(str(write_kubeconfig(tmp_path / "k", {"token": "t"})), "two")
    assert await access.authorization() == "Bearer other"


async def test_verification_is_off_only_when_the_kubeconfig_says_so(tmp_path: Path) -> None:
    access = find_access(str(write_kubeconfig(tmp_path / "k", {}, {"insecure-skip-tls-verify": True})))
    await access.authorization()
    assert access.tls.verify_mode is ssl.CERT_NONE


async def test_a_token_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    access = find_access(str(write_kubeconfig(tmp_path / "k", {"tokenFile": str(token)})))
    assert await access.authorization() == "Bearer first"
    token.write_text("second\n")
    assert await access.authorization() == "Bearer first"
    monkeypatch.setattr(config, "RENEW_SECONDS", 0.0)
    assert await access.authorization(renew=True) == "Bearer second"


async def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-plugin", "expirationTimestamp": "2999-01-01T00:00:00Z"},
    }
    plugin = {"apiVersion": credential["apiVersion"], "command": "printf", "args": ["%s", json.dumps(credential)]}
    access = find_access(str(write_kubeconfig(tmp_path / "k", {"exec": plugin})))
    assert await access.authorization() == "Bearer from-plugin"


async def test_inline_keys_leave_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, [*request, "-subj", "/CN=u"], check=True, capture_output=True)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    encoded = {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    kubeconfig = str(write_kubeconfig(tmp_path / "k", dict(encoded)))
    await find_access(kubeconfig).authorization()
    assert list(temporary.iterdir()) == []
    await find_access(kubeconfig).authorization()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "no such file"), ("{", "kubeconfig"), ("{}", "current-context"), ("", "kubeconfig")],
)
async def test_what_cannot_be_used_is_a_sentence(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PermanentError, match=complaint) as caught:
        await find_access(str(path)).authorization()
    assert caught.value.reason == "KubeconfigInvalid"
    assert str(path) in str(caught.value)


def test_the_generated_models_are_not_imported_and_a_later_import_gives_them() -> None:
    program = """
import sys
import traceback
from kraut_core.kube.library import loaders
kube_config, incluster_config, configuration = loaders()
assert not any("models" in name for name in sys.modules if name.startswith("kubernetes_asyncio"))
assert "kubernetes_asyncio" not in sys.modules
import kubernetes_asyncio
assert kubernetes_asyncio.client.CoreV1Api is not None
assert kubernetes_asyncio.client.Configuration is configuration
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_client_imports_no_network_library() -> None:
    program = """
import sys
import traceback
import kraut_core.kube.client, kraut_core.kube.events
assert not {"aiohttp", "kubernetes_asyncio", "msgspec", "yaml"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("content", [b"users:\n- user:\n    token: planted: {\n", b"token: planted\xff\n"])
async def test_a_broken_kubeconfig_shows_no_line_of_itself(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    with pytest.raises(PermanentError, match="it is not YAML") as caught:
        await find_access(str(path)).authorization()
    assert "planted" not in "".join(traceback.format_exception(caught.value))


def write_authority(path: Path, name: str) -> Path:
    make = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-out", str(path)]
    subprocess.run([*make, "-subj", f"/CN={name}"], check=True, capture_output=True)
    return path


def trusted(access: Access) -> list[str]:
    return [dict(part[0] for part in found["subject"])["commonName"] for found in access.tls.get_ca_certs()]


@pytest.fixture
def at_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(config, "RENEW_SECONDS", 0.0)


@pytest.mark.usefixtures("at_every_look")
@pytest.mark.parametrize("inline", [True, False])
async def test_a_kubeconfig_that_changed_is_read_again(tmp_path: Path, inline: bool) -> None:
    """Its token is good for ever as far as it says; the server moved, and its authority is another one."""
    authority = write_authority(tmp_path / "ca.pem", "first")

    def cluster(server: str) -> dict[str, object]:
        if inline:
            data = base64.b64encode(authority.read_bytes()).decode()
            return {"server": server, "certificate-authority-data": data}
        return {"server": server, "certificate-authority": "ca.pem"}

    file = write_kubeconfig(tmp_path / "k", {"token": "t"}, cluster("https://one.example"))
    access = find_access(str(file))
    await access.authorization()
    before = access.tls
    await access.authorization()
    assert access.tls is before, "the same files, the same connections"
    write_authority(authority, "second")
    write_kubeconfig(file, {"token": "u"}, cluster("https://two.example"))
    assert await access.authorization() == "Bearer u"
    assert access.server == "https://two.example"
    assert trusted(access) == ["second"]


@pytest.mark.usefixtures("at_every_look")
async def test_a_file_that_a_kubeconfig_names_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    """As in a mounted Secret: the names are links, and what they lead to is changed at once."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_authority(tmp_path / name / "ca.pem", name)
    (tmp_path / "data").symlink_to("one")
    cluster = {"certificate-authority": "data/ca.pem"}
    access = find_access(str(write_kubeconfig(tmp_path / "k", {"token": "t"}, cluster)))
    await access.authorization()
    (tmp_path / "data.new").symlink_to("two")
    (tmp_path / "data.new").rename(tmp_path / "data")
    await access.authorization()
    assert trusted(access) == ["two"]


@pytest.mark.usefixtures("at_every_look")
@pytest.mark.parametrize("broken", ["", "{", '{"clusters": []}', None])
async def test_half_a_kubeconfig_changes_nothing_until_it_is_whole(tmp_path: Path, broken: str | None) -> None:
    """Whoever writes it does so in pieces, and what is known is good."""
    file = write_kubeconfig(tmp_path / "k", {"token": "t"})
    access = find_access(str(file))
    await access.authorization()
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    assert await access.authorization() == "Bearer t"
    assert access.server == "https://one.example:6443"
    write_kubeconfig(file, {"token": "u"})
    assert await access.authorization() == "Bearer u"


@pytest.mark.usefixtures("at_every_look")
async def test_a_kubeconfig_whose_authority_is_none_changes_nothing(tmp_path: Path) -> None:
    """Never the new server with the old authorities, or the other way round."""
    authority = write_authority(tmp_path / "ca.pem", "first")
    file = write_kubeconfig(tmp_path / "k", {"token": "t"}, {"certificate-authority": "ca.pem"})
    access = find_access(str(file))
    await access.authorization()
    authority.write_text("no certificate")
    write_kubeconfig(file, {"token": "u"}, {"server": "https://two.example", "certificate-authority": "ca.pem"})
    assert await access.authorization() == "Bearer t"
    assert (access.server, trusted(access)) == ("https://one.example:6443", ["first"])


async def test_files_are_not_looked_at_for_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.LOOK_SECONDS > 0
    monkeypatch.setattr(config, "LOOK_SECONDS", 600)
    file = write_kubeconfig(tmp_path / "k", {"token": "t"})
    access = find_access(str(file))
    await access.authorization()
    write_kubeconfig(file, {"token": "u"})
    assert await access.authorization() == "Bearer t"
