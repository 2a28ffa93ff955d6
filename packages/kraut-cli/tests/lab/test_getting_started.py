"""docs/getting-started.md, run as it stands against a real host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

GUIDE = Path(__file__).parents[4] / "docs" / "getting-started.md"
BLOCKS = re.findall(r"^## (\d).*?\n|```sh\n(.*?)```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
ADDRESS = "192.0.2.10"


def commands():
    """The commands of every section but the first, which starts a lab."""
    section = ""
    for heading, block in BLOCKS:
        section = heading or section
        if block and section != "1":
            yield block


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("services")
def test_the_guide_does_what_it_says(lab, borrow, kraut, tmp_path):
    host = borrow(lab.hosts[2])
    boot_id = host.boot_id
    config = tmp_path / "ssh_config"
    config.write_text(f"IdentityFile {lab.ssh.private_key}\nUserKnownHostsFile {tmp_path / 'known_hosts'}\n")
    script = "\n".join(commands()).replace(ADDRESS, host.address)
    assert "kraut host add web1" in script
    # A person has an ssh configuration, and answers ssh's question about the host's key.
    script = script.replace("kraut host add web1", f"kraut host add web1 -F {config} --accept-new")
    namespaced = tmp_path / "kubeconfig"
    namespaced.write_text(kraut.kubectl("config", "view", "--flatten", "--raw").stdout)
    programs = Path(sys.executable).parent
    environment = {**kraut.environment, "KUBECONFIG": str(namespaced), "PATH": f"{programs}:/usr/bin:/bin"}
    prologue = f"set -eu\nkubectl config set-context --current --namespace={kraut.namespace} >/dev/null\n"
    result = subprocess.run(
        ["bash"], input=prologue + script, capture_output=True, text=True, env=environment, timeout=1500, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("web1 ")]
    assert rows[-1][-2] == "True", "Ready at the end"
    assert "condition met" in result.stdout
    assert host.boot_id != boot_id, "one of the updates asks for a reboot"
    assert "No resources" in kraut("get", "hosts").stderr
    assert kraut.kubectl("get", "secret", "web1-ssh", check=False).returncode != 0
    assert host.exec("ls /var/lib/kraut", check=False).stdout == "", "kraut's files are gone from the host"
