"""A lab with two sites and Dex, as a person gets it: up, the demo's course, a loss, up again, down."""

import io
import os
import subprocess
import sys

import pytest
import yaml
from rich.console import Console

from kraut_lab.controlplane.client import kubectl_path
from kraut_lab.demo.identity import USER
from kraut_lab.demo.identity_command import run_identity_demo
from kraut_lab.lab import Lab
from kraut_lab.status import lab_status
from kraut_lab.teardown import find_left
from kraut_lab.waiting import wait_for

pytestmark = pytest.mark.integration


def states(lab):
    return {part.name: part.state for part in lab_status(lab) if part.wanted}


def acts_where_rbac_lets_it(home, target, folder):
    """kubectl through kraut-credential: a service account of one cluster in the other, which has a control plane of its own."""
    config = folder / f"{home.name}-in-{target.name}.kubeconfig"
    options = ["--service-account=kraut-system/kraut-oidc-proxy", f"--kubeconfig={home.kubeconfig}"]
    run = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": sys.executable,
        "args": ["-m", "kraut_cli.credential", *options, f"--audience={target.audience}"],
    }
    document = yaml.safe_load(target.kubeconfig.read_text())
    [entry] = document["users"]
    entry["user"] = {"exec": run}
    config.write_text(yaml.safe_dump(document))
    user = f"kraut:{home.name}:system:serviceaccount:kraut-system:kraut-oidc-proxy"

    def kubectl(*arguments, kubeconfig=config):
        argv = [kubectl_path(), f"--kubeconfig={kubeconfig}", f"--cache-dir={folder / '.cache'}", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def known():
        return kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}").stdout == user

    wait_for(known, f"{target.name} to know {user}", timeout=150)
    assert "Forbidden" in kubectl("get", "namespaces").stderr
    binding = ("create", "clusterrolebinding", f"proxy-of-{home.name}-views", "--clusterrole=view", f"--user={user}")
    assert kubectl(*binding, kubeconfig=target.kubeconfig).returncode == 0
    wait_for(lambda: kubectl("get", "namespaces").returncode == 0, "the binding to be seen", timeout=60)
    assert "Forbidden" in kubectl("get", "secrets", "--all-namespaces").stderr


def test_two_sites_and_dex_from_up_to_down():
    lab = Lab(f"sites-{os.getpid()}")
    try:
        lab.up(sites=("east", "west"), dex=True, components=False)
        assert not lab.record.hosts
        assert set(states(lab).values()) == {"Ready"}
        assert {"east/kube-apiserver", "west/kube-apiserver", "west/kraut-oidc-proxy", "dex"} <= set(states(lab))
        described = lab.describe()
        assert [site["name"] for site in described["sites"]] == ["east", "west"]
        assert lab.environment()["KUBECONFIG_WEST"] == described["sites"][1]["kubeconfig"]

        shown = io.StringIO()
        run_identity_demo(lab, Console(file=shown, width=200))
        assert shown.getvalue().count(f"\n{USER}\n") == 2, "both ways end in the same user"
        assert shown.getvalue().count("Unauthorized") == 2
        assert shown.getvalue().count("Forbidden") == 4
        assert "eyJ" not in shown.getvalue()

        east, west = lab.federation.site("east"), lab.federation.site("west")
        for home, target in ((east, west), (west, east)):
            acts_where_rbac_lets_it(home, target, lab.folder)

        issuer = lab.federation.site("west").issuer
        lab.federation.site("west").proxy.daemon.kill()
        assert states(lab)["west/kraut-oidc-proxy"] == "Stopped"
        assert Lab(lab.name).up(components=False).federation.site("west").issuer == issuer
        assert set(states(lab).values()) == {"Ready"}
    finally:
        lab.down()
    assert find_left(lab.folder) == []
