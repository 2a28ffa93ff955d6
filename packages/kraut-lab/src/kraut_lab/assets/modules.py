"""The pinned Go modules (``tools/``) and the programs that they build."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from kraut_lab.errors import LabError

_MINOR_FOLDER = re.compile(r"v(\d+)\.(\d+)")


@dataclass(frozen=True)
class Program:
    """A program that a pinned Go module builds."""

    name: str
    """Of the binary, e.g. ``kube-apiserver``."""
    version: str
    """Of the module, e.g. ``v1.37.2``."""
    project: str
    """Folder in the cache: ``kubernetes`` or ``etcd``."""
    module: Path
    """Folder with go.mod and go.sum."""
    package: str
    """Go import path of its main package."""
    linker_flags: str = "-s -w"


def modules_folder() -> Path:
    """The pinned modules, which ship with this package."""
    return Path(str(files("kraut_lab"))) / "go_modules"


def kubernetes_minors() -> list[str]:
    """Pinned Kubernetes minors, newest first, e.g. ``["v1.37"]``."""
    folders = [
        entry.name for entry in (modules_folder() / "kubernetes").iterdir() if _MINOR_FOLDER.fullmatch(entry.name)
    ]
    return sorted(folders, key=_numbers, reverse=True)


def kubernetes_program(name: str, minor: str | None = None) -> Program:
    """A program of Kubernetes, e.g. ``kube-apiserver``, at a pinned minor (default: the newest).

    Raises:
        LabError: that minor is not pinned.
    """
    minors = kubernetes_minors()
    minor = minor or minors[0]
    if minor not in minors:
        raise LabError(f"Kubernetes {minor} is not pinned here; pinned are {', '.join(minors)}. Choose one of these.")
    module = modules_folder() / "kubernetes" / minor
    version = required_version(module / "go.mod", "k8s.io/kubernetes")
    major_number, minor_number = _numbers(minor)
    # Without these, kubeadm and the version that a server reports are wrong.
    variables = {"gitVersion": version, "gitMajor": major_number, "gitMinor": minor_number}
    flags = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in variables.items())
    return Program(name, version, "kubernetes", module, f"k8s.io/kubernetes/cmd/{name}", f"-s -w {flags}")


def etcd_program() -> Program:
    """The etcd server."""
    module = modules_folder() / "etcd"
    package = "go.etcd.io/etcd/server/v3"
    return Program("etcd", required_version(module / "go.mod", package), "etcd", module, package)


def _numbers(minor: str) -> tuple[int, int]:
    match = _MINOR_FOLDER.fullmatch(minor)
    if match is None:
        raise LabError(f"A Kubernetes minor is written like v1.37, found {minor!r}.")
    return int(match[1]), int(match[2])


@cache
def required_version(go_mod: Path, module: str) -> str:
    """The version of a module that a go.mod requires. Raises LabError when it requires none."""
    match = re.search(rf"^(?:require )?\s*{re.escape(module)} (v\S+)", go_mod.read_text(), re.MULTILINE)
    if match is None:
        raise LabError(f"{go_mod} should require {module}; run `go get -tool {module}` in its folder.")
    return match[1]
