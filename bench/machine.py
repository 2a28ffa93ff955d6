"""What the figures were measured on and with: kind of machine, load, versions. No names of hosts."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kraut_lab.assets import etcd_program, kubernetes_program
from kraut_lab.temporal import temporal_path

PACKAGES = ("aiohttp", "asyncssh", "msgspec", "temporalio")
MODULES = ("k8s.io/client-go", "go.temporal.io/sdk")


def describe_machine() -> dict[str, Any]:
    """Cores, memory, kernel, and how busy the machine was before (load average of the last minute)."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "processor": _processor(),
        "kernel": platform.release().partition("-")[0],
        "load_before": round(os.getloadavg()[0], 2),
    }


def describe_versions(go_mod: Path) -> dict[str, str]:
    """Versions of what was measured and of what it was measured with."""
    required = [line.split() for line in go_mod.read_text().splitlines()]
    modules = {words[0]: words[1] for words in required if len(words) >= 2 and words[0] in MODULES}
    return {
        "kraut": _commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "go": _output("go", "version").split()[2].removeprefix("go"),
        **modules,
        "kube-apiserver": kubernetes_program("kube-apiserver", None).version,
        "etcd": etcd_program().version,
        "temporal": _output(temporal_path(), "--version").partition("version ")[2].strip(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    return _output("git", "rev-parse", "--short=10", "HEAD").strip()


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
