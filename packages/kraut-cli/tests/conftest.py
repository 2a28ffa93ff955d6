import os
import subprocess
import sys
from pathlib import Path

import pytest

# The samples are shared by tests in several folders.
sys.path.insert(0, str(Path(__file__).parent))


class Kraut:
    """The program as a person runs it, in a namespace of the test's own; nobody is there to ask."""

    def __init__(self, kubeconfig, namespace, home):
        self.namespace = namespace
        self.kubeconfig = kubeconfig
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home), "NO_COLOR": "1"}

    def __call__(self, *words, stdin="", check=None, namespaced=True):
        """Run it; with ``check`` the exit code must be that one."""
        where = ["-n", self.namespace] if namespaced else []
        result = subprocess.run(
            [sys.executable, "-m", "kraut_cli", *words, *where],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=300,
            check=False,
        )
        assert check is None or result.returncode == check, (
            f"{words}: {result.returncode}\n{result.stdout}{result.stderr}"
        )
        return result

    def kubectl(self, *words, stdin="", check=True):
        """kubectl with the same identity and namespace."""
        kubectl = Path(sys.executable).with_name("kubectl")
        return subprocess.run(
            [kubectl, "-n", self.namespace, *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=300,
            check=check,
        )


@pytest.fixture
def kraut(control_plane, tmp_path):
    """``kraut("get", "hosts", check=0)`` against a real API server."""
    program = Kraut(control_plane.kubeconfig(), f"cli-{os.urandom(4).hex()}", tmp_path)
    program.kubectl("create", "namespace", program.namespace)
    yield program
    program.kubectl("delete", "namespace", program.namespace, "--wait=false")
