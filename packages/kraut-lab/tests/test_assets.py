"""Where binaries come from: a given folder, the cache, a mirror that is verified, a real build."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kraut_lab.assets import Binaries, Program
from kraut_lab.errors import LabError, MissingRequirementError
from kraut_lab.settings import LabSettings, load_lab_settings

MAIN = 'package main\n\nimport "fmt"\n\nvar version = "none"\n\nfunc main() { fmt.Println(version) }\n'


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program that a real, tiny Go module builds."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module example.com/tiny\n\ngo 1.24\n")
    (module / "main.go").write_text(MAIN)
    return Program("tiny", "v1.2.3", "kubernetes", module, "example.com/tiny", "-s -w -X main.version=v1.2.3")


@pytest.fixture
def settings(tmp_path: Path) -> LabSettings:
    return LabSettings(cache_dir=tmp_path / "cache", assets=None)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server, its URL and its folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def offer(folder: Path, program: Program, content: bytes, digest: str | None = None) -> None:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    target = folder / program.version / "bin" / "linux" / architecture / program.name
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    target.with_name(f"{program.name}.sha256").write_text(digest or hashlib.sha256(content).hexdigest())


def test_a_given_folder_comes_first(program: Program, settings: LabSettings, tmp_path: Path) -> None:
    given = tmp_path / "assets" / "tiny"
    given.parent.mkdir()
    given.write_text("#!/bin/sh\n")
    given.chmod(0o755)
    assert Binaries(settings.model_copy(update={"assets": given.parent})).path(program) == given


def test_kubebuilder_assets_is_honoured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert load_lab_settings().assets == tmp_path
    monkeypatch.setenv("KRAUT_LAB_ASSETS", "/elsewhere")
    assert load_lab_settings().assets == Path("/elsewhere")


def test_a_mirror_is_used_and_cached(program: Program, settings: LabSettings, mirror: tuple[str, Path]) -> None:
    url, folder = mirror
    offer(folder, program, b"#!/bin/sh\necho mirrored\n")
    binaries = Binaries(settings.model_copy(update={"mirror": f"{url}/"}))
    path = binaries.path(program)
    assert subprocess.check_output([path], text=True) == "mirrored\n"
    assert binaries.path(program) == path
    assert path == settings.cache_dir / "kubernetes" / "v1.2.3" / "tiny"


def test_what_a_mirror_spoils_never_reaches_the_cache(
    program: Program, settings: LabSettings, mirror: tuple[str, Path]
) -> None:
    url, folder = mirror
    offer(folder, program, b"spoilt", digest="0" * 64)
    binaries = Binaries(settings.model_copy(update={"mirror": url}))
    with pytest.raises(LabError, match="should have SHA-256 0000"):
        binaries.path(program)
    assert not any(path.is_file() and path.stat().st_size for path in settings.cache_dir.rglob("*"))


def test_built_when_no_mirror_has_it(program: Program, settings: LabSettings, mirror: tuple[str, Path]) -> None:
    said: list[str] = []
    path = Binaries(settings.model_copy(update={"mirror": mirror[0]}), said.append).path(program)
    assert subprocess.check_output([path], text=True) == "v1.2.3\n"
    assert any("the mirror has no tiny" in text for text in said)


def test_two_at_once_build_once(program: Program, settings: LabSettings) -> None:
    said: list[str] = []
    threads = [threading.Thread(target=Binaries(settings, said.append).path, args=(program,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [text for text in said if text.startswith("building")] == [text for text in said if "kept in" in text]
    assert sum("kept in" in text for text in said) == 1


def test_what_does_not_compile_says_why(program: Program, settings: LabSettings) -> None:
    (program.module / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    with pytest.raises(LabError, match="undefined: nonsense"):
        Binaries(settings).path(program)
    assert not (settings.cache_dir / "kubernetes" / "v1.2.3" / "tiny").exists()


def test_no_toolchain_is_one_sentence_with_a_way_out(
    program: Program, settings: LabSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingRequirementError, match=r"Install Go .* or set KUBEBUILDER_ASSETS"):
        Binaries(settings).path(program)
    assert os.environ["PATH"] == "/nonexistent"
