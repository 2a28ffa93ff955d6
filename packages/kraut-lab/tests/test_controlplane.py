"""The control plane and Temporal on real processes."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kraut_lab.controlplane import ControlPlane
from kraut_lab.controlplane.client import kubectl_path
from kraut_lab.processes import find_marked
from kraut_lab.temporal import TemporalServer
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.integration


def kubectl(plane: ControlPlane, identity: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [kubectl_path(), f"--kubeconfig={plane.kubeconfig(identity)}", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={"HOME": str(plane.folder)})


def test_the_person_is_admin_and_the_components_are_not(control_plane: ControlPlane) -> None:
    assert kubectl(control_plane, "admin", "auth", "can-i", "*", "*").stdout == "yes\n"
    for component in ("operator", "worker"):
        assert kubectl(control_plane, component, "auth", "can-i", "*", "*").stdout == "no\n"
        whoami = kubectl(control_plane, component, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
        assert whoami.stdout == f"system:serviceaccount:kraut-system:kraut-{component}"


def test_krauts_kinds_are_served(control_plane: ControlPlane) -> None:
    served = kubectl(control_plane, "admin", "api-resources", "--api-group=kraut.dev", "-o", "name").stdout.split()
    assert "hosts.kraut.dev" in served


def test_controllers_run(control_plane: ControlPlane) -> None:
    assert kubectl(control_plane, "admin", "create", "namespace", "going").returncode == 0
    gone = kubectl(control_plane, "admin", "delete", "namespace", "going", "--timeout=180s")
    assert gone.returncode == 0, gone.stderr


def test_a_dead_part_is_started_again_and_the_state_is_kept(control_plane: ControlPlane) -> None:
    assert kubectl(control_plane, "admin", "create", "configmap", "kept").returncode == 0
    before = control_plane.etcd.pid
    control_plane.apiserver.kill(signal.SIGKILL)
    assert not control_plane.is_ready()
    control_plane.start()
    wait_until(control_plane.is_ready, "the control plane")
    assert control_plane.etcd.pid == before
    assert kubectl(control_plane, "admin", "get", "configmap", "kept").returncode == 0


def test_temporal_comes_back_after_a_kill(temporal_server: TemporalServer) -> None:
    address = temporal_server.address
    temporal_server.daemon.kill(signal.SIGKILL)
    assert not temporal_server.is_ready()
    temporal_server.start()
    wait_until(temporal_server.is_ready, "Temporal")
    assert temporal_server.address == address


def test_nothing_outlives_a_killed_owner(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    owner = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from kraut_lab.temporal import TemporalServer
        from kraut_lab.watchdog import Watchdog
        folder = Path(sys.argv[1])
        watchdog = Watchdog(folder)
        TemporalServer(folder).start()
        print(flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", owner, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        parts = find_marked(folder)
        assert parts
        process.kill()
    wait_until(lambda: not any(part.is_alive() for part in parts), "the watchdog to end all parts")
    wait_until(lambda: not folder.exists(), "the watchdog to remove the folder")
