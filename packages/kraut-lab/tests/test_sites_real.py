"""A lab with two sites and Dex, as a person gets it: up, the demo's course, a loss, up again, down."""

import io
import os

import pytest
from rich.console import Console

from kraut_lab.demo.identity import USER
from kraut_lab.demo.identity_command import run_identity_demo
from kraut_lab.lab import Lab
from kraut_lab.status import lab_status
from kraut_lab.teardown import find_left

pytestmark = pytest.mark.integration


def states(lab):
    return {part.name: part.state for part in lab_status(lab) if part.wanted}


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

        issuer = lab.federation.site("west").issuer
        lab.federation.site("west").proxy.daemon.kill()
        assert states(lab)["west/kraut-oidc-proxy"] == "Stopped"
        assert Lab(lab.name).up(components=False).federation.site("west").issuer == issuer
        assert set(states(lab).values()) == {"Ready"}
    finally:
        lab.down()
    assert find_left(lab.folder) == []
