"""A lab with two sites, Dex and Keycloak, as a person gets it: up, the demo's course, every way between them, a loss, up again, down."""

import io
import os
import shutil
import subprocess
import sys

import pytest
import yaml
from rich.console import Console

from kraut_lab.controlplane.client import kubectl_path
from kraut_lab.demo.exchanging import SCOPE
from kraut_lab.demo.identity import USER
from kraut_lab.demo.identity_command import run_identity_demo
from kraut_lab.lab import Lab
from kraut_lab.status import lab_status
from kraut_lab.teardown import find_left
from kraut_lab.waiting import wait_for, wait_until

# The first test waits for two control planes, Dex and Keycloak to start.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]


def states(lab):
    return {part.name: part.state for part in lab_status(lab) if part.wanted}


def wait_ready(lab):
    """A look has seconds for each part, which may be short where much else runs."""
    wait_until(lambda: set(states(lab).values()) == {"Ready"}, "all parts to be ready at one look")


def has_keycloak():
    """Where hosts are possible it must be there; elsewhere it is where it can be."""
    return all(map(shutil.which, ("java", "mvn"))) or (sys.platform == "linux" and os.geteuid() == 0)


@pytest.fixture(scope="module")
def lab():
    """One lab for all of this file; nothing of it is left afterwards."""
    found = Lab(f"sites-{os.getpid()}")
    try:
        yield found.up(sites=("east", "west"), dex=True, keycloak=has_keycloak(), components=False)
    finally:
        found.down()
    assert find_left(found.folder) == []


@pytest.fixture(scope="module")
def sites(lab):
    return {site.name: site for site in lab.federation.sites}


class Caller:
    """kubectl through kraut-credential: a service account of one site at another, which has a control plane of its own."""

    def __init__(self, lab, home, target, account, *options):
        self.account, self.user = account, f"kraut:{home.name}:system:serviceaccount:kraut-system:{account}"
        self._folder, self._target = lab.folder, target
        whose = (f"--service-account=kraut-system/{account}", f"--kubeconfig={home.kubeconfig}")
        # The names of providers resolve only where the lab says so.
        program = [sys.executable, "-m", "kraut_cli.credential", *whose, *options]
        command, *arguments = lab.federation.host_names.wrap(program)
        run = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "interactiveMode": "Never",
            "command": command,
            "args": arguments,
        }
        document = yaml.safe_load(target.kubeconfig.read_text())
        [entry] = document["users"]
        entry["user"] = {"exec": run}
        self._config = lab.folder / f"{account}-of-{home.name}-in-{target.name}.kubeconfig"
        self._config.write_text(yaml.safe_dump(document))
        self._name = f"{home.name}-{account}-lists-nodes"

    def __call__(self, *arguments, kubeconfig=None):
        options = (f"--kubeconfig={kubeconfig or self._config}", f"--cache-dir={self._folder / '.cache'}")
        return subprocess.run(
            [kubectl_path(), *options, *arguments], capture_output=True, text=True, check=False, timeout=300
        )

    def is_known(self):
        return self("auth", "whoami", "--output=jsonpath={.status.userInfo.username}").stdout == self.user

    def may_list_nodes(self):
        """Let the target's administrator give it one right."""
        role = ("create", "clusterrole", self._name, "--verb=list", "--resource=nodes")
        binding = ("create", "clusterrolebinding", self._name, f"--clusterrole={self._name}", f"--user={self.user}")
        for words in (role, binding):
            done = self(*words, kubeconfig=self._target.kubeconfig)
            assert done.returncode == 0, done.stderr


def acts_where_rbac_lets_it(caller):
    wait_for(caller.is_known, f"the other site to know {caller.user}", timeout=150)
    assert "Forbidden" in caller("get", "nodes").stderr
    caller.may_list_nodes()
    wait_for(lambda: caller("get", "nodes").returncode == 0, "the binding to be seen", timeout=300)
    assert "Forbidden" in caller("get", "secrets", "--all-namespaces").stderr


def through_dex(lab, home, target):
    dex = lab.federation.dex
    return (
        *(f"--audience={target.name}", f"--ca-file={lab.federation.ca}", "--allow-network=127.0.0.0/8"),
        *(f"--token-endpoint={dex.token_endpoint}", f"--subject-audience={dex.issuer}"),
        *("--subject-token-type=id_token", "--requested-token-type=id_token", "--no-send-audience"),
        *(f"--parameter=connector_id={home.name}", *(f"--scope={scope}" for scope in SCOPE)),
        *("--client-authentication=client_secret_basic", f"--client-id={target.name}"),
        f"--client-secret-file={dex.secret_file(target.name)}",
    )


def through_keycloak(lab, target):
    keycloak = lab.federation.keycloak
    return (
        *(f"--audience={target.name}", f"--ca-file={lab.federation.ca}", "--allow-network=127.0.0.0/8"),
        *(f"--token-endpoint={keycloak.token_endpoint}", f"--subject-audience={keycloak.issuer}"),
        *("--grant=client-credentials", "--client-authentication=service_account"),
        *("--no-send-audience", f"--scope={target.name}"),
    )


def test_two_sites_and_what_stands_between_them_are_up(lab):
    assert not lab.record.hosts
    wait_ready(lab)
    found = states(lab)
    assert {"east/kube-apiserver", "west/kube-apiserver", "west/kraut-oidc-proxy", "dex"} <= set(found)
    assert ("keycloak" in found) == has_keycloak()
    described = lab.describe()
    assert [site["name"] for site in described["sites"]] == ["east", "west"]
    assert lab.environment()["KUBECONFIG_WEST"] == described["sites"][1]["kubeconfig"]


def test_the_course_of_the_demo(lab):
    shown = io.StringIO()
    run_identity_demo(lab, Console(file=shown, width=200))
    assert shown.getvalue().count(f"\n{USER}\n") == 2, "both ways end in the same user"
    assert shown.getvalue().count("Unauthorized") == 2
    assert shown.getvalue().count("Forbidden") == 4
    assert "eyJ" not in shown.getvalue()


@pytest.mark.parametrize(("home", "target"), [("east", "west"), ("west", "east")])
def test_a_service_account_acts_in_the_other_site_directly(lab, sites, home, target):
    audience = f"--audience={sites[target].audience}"
    acts_where_rbac_lets_it(Caller(lab, sites[home], sites[target], "kraut-oidc-proxy", audience))


def test_west_acts_in_east_through_dex(lab, sites):
    """The other direction is in the demo's course."""
    options = through_dex(lab, sites["west"], sites["east"])
    acts_where_rbac_lets_it(Caller(lab, sites["west"], sites["east"], "kraut-operator", *options))


@pytest.mark.skipif(not has_keycloak(), reason="Keycloak needs Java and Maven")
def test_east_acts_in_west_through_keycloak(lab, sites):
    """Keycloak knows kraut-worker of each site, and no other account."""
    options = through_keycloak(lab, sites["west"])
    acts_where_rbac_lets_it(Caller(lab, sites["east"], sites["west"], "kraut-worker", *options))
    stranger = Caller(lab, sites["east"], sites["west"], "kraut-operator", *options)
    assert "invalid_client" in stranger("auth", "whoami").stderr


def test_what_was_lost_comes_back_as_it_was(lab, sites):
    issuer = sites["west"].issuer
    sites["west"].proxy.daemon.kill()
    assert states(lab)["west/kraut-oidc-proxy"] == "Stopped"
    assert Lab(lab.name).up(components=False).federation.site("west").issuer == issuer
    wait_ready(lab)
