"""`kraut cluster connect` between two real kube-apiservers, directly and through a real Dex."""

import json
import re

import pytest
import yaml

from kraut_core.identity.authentication import build_configuration, trust_cluster
from kraut_lab.ports import choose_ports

pytestmark = pytest.mark.integration

DIRECT = "https://api.target.example.com"
READER = "system:aggregate-to-view"
"""What the ClusterRole view is made of where a controller manager runs, which this target has none of."""
HOME_KINDS = ["ServiceAccount", "Role", "RoleBinding", "Cluster"]
PLURALS = {
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "Cluster": ("/apis/kraut.dev/v1alpha1", "clusters"),
}


def path_of(document):
    root, plural = PLURALS[document["kind"]]
    metadata = document["metadata"]
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{place}/{plural}/{metadata['name']}"


def holds(stored, written):
    """Whether an object has everything that was written; API servers add defaults and metadata."""
    if isinstance(written, dict):
        return isinstance(stored, dict) and all(holds(stored.get(name), value) for name, value in written.items())
    if isinstance(written, list):
        return len(stored or ()) == len(written) and all(map(holds, stored, written))
    return stored == written


def outcomes(done):
    """What the lines of stderr say that was done; warnings and hints aside."""
    pattern = r"^\S.* (created|configured|unchanged|written)$"
    return re.findall(pattern, done.stderr, re.MULTILINE)


class Sides:
    """The objects on both sides, read without the code that wrote them."""

    def __init__(self, admin, target):
        self._admin, self._target = admin, target

    def read(self, document):
        path = path_of(document)
        if document["kind"] == "ClusterRoleBinding":
            return self._target.admin.get(path)
        status, found = self._admin.request("GET", path)
        return found if status == 200 else None

    def versions(self, documents):
        return [self.read(document)["metadata"]["resourceVersion"] for document in documents]


@pytest.fixture
def sides(admin, target):
    return Sides(admin, target)


def split(exported):
    """Documents of --export: objects, and the AuthenticationConfiguration at the end."""
    *objects, configuration = yaml.safe_load_all(exported.stdout)
    assert configuration["kind"] == "AuthenticationConfiguration"
    return objects, configuration


async def test_connect_writes_what_both_sides_need(desk, target, connect, sides, control_plane, admin):
    """Nothing by --export and --dry-run, everything once, and what it wrote works."""
    target.file.write_text(yaml.safe_dump(build_configuration([])))
    options = ("direct", f"--audience={DIRECT}", "--cluster-role=view")
    file = f"--authentication-config={target.file}"

    objects, configuration = split(connect(*options, "--export"))
    assert [document["kind"] for document in objects] == [*HOME_KINDS, *2 * ["ClusterRoleBinding"]]
    tried = connect(*options, "--dry-run", file)
    assert "created (dry run)" in tried.stderr
    assert yaml.safe_load(target.file.read_text())["jwt"] == []
    assert [sides.read(document) for document in objects] == [None] * len(objects)

    printed = connect(*options)
    assert yaml.safe_load(printed.stdout) == configuration
    assert "every issuer in it answers" in printed.stderr
    connect(*options, file)
    assert set(outcomes(connect(*options, file))) == {"unchanged"}
    assert yaml.safe_load(target.file.read_text()) == configuration
    status, ready = await desk.until("direct", "Reachable")
    assert status.username == f"kraut:east:system:serviceaccount:{desk.namespace}:kraut"
    assert status.issuer == control_plane.url, ready.message
    assert may_ask_for_token(admin, desk.namespace, "kraut")
    assert not may_ask_for_token(admin, desk.namespace, "default")


def may_ask_for_token(admin, namespace, account):
    attributes = {
        "namespace": namespace,
        "verb": "create",
        "name": account,
        "resource": "serviceaccounts",
        "subresource": "token",
    }
    spec = {"user": "system:serviceaccount:kraut-system:kraut-worker", "resourceAttributes": attributes}
    review = {"kind": "SubjectAccessReview", "spec": spec}
    status, answer = admin.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert status == 201, answer
    return answer["status"]["allowed"]


async def test_connect_through_dex(desk, site, target, connect, sides, provider_file, kubectl, through):
    """The same objects by --export and by hand; a second run changes nothing; worker and kubectl get in, as far as RBAC there says."""
    options = (
        *("exchanged", "--audience=north", f"--provider={provider_file('north')}"),
        *(f"--provider-issuer={site.dex.issuer}", f"--cluster-role={READER}"),
    )
    file = f"--authentication-config={target.file}"
    # What stands in the file stays in it.
    others = trust_cluster(site.described(site.issuer, DIRECT), "east")
    target.trust(others)

    objects, configuration = split(connect(*options, "--export"))
    access = objects[3]["spec"]["access"]["exchange"]
    assert (access["audience"], access["clientAuthentication"]["clientID"]) == ("north", "north")
    [entry] = configuration["jwt"]
    assert entry["issuer"]["url"] == site.dex.issuer
    assert set(outcomes(connect(*options, file))) == {"created", "written"}
    for document in objects:
        stored = sides.read(document)
        assert holds(stored, document), f"--export says {document}, written was {stored}"
    assert yaml.safe_load(target.file.read_text())["jwt"] == [others, entry]

    before = sides.versions(objects), target.file.read_bytes(), target.file.stat().st_mtime_ns
    assert set(outcomes(connect(*options, file))) == {"unchanged"}
    assert (sides.versions(objects), target.file.read_bytes(), target.file.stat().st_mtime_ns) == before

    secret = site.dex.secret_file("north")
    _, ready = await desk.look("exchanged")
    assert (ready.status, ready.reason) == ("False", "SecretNotFound"), "the provider's secret is a person's to give"
    desk.secret("dex", client_secret=secret.read_bytes())
    status, _ = await desk.until("exchanged", "Reachable")
    user = f"kraut:east:system:serviceaccount:{desk.namespace}:kraut"
    assert status.username == user
    assert secret.read_text() not in "".join(desk.left)

    config = through(
        target,
        *("--audience=north", f"--service-account={desk.namespace}/kraut", f"--kubeconfig={site.kubeconfig}"),
        *(f"--token-endpoint={site.dex.token_endpoint}", f"--subject-audience={site.dex.issuer}"),
        *("--subject-token-type=id_token", "--requested-token-type=id_token", "--no-send-audience"),
        *("--scope=openid", "--scope=profile", "--scope=federated:id", "--parameter=connector_id=east"),
        *("--client-authentication=client_secret_basic", "--client-id=north", f"--client-secret-file={secret}"),
        *(f"--ca-file={site.ca}", "--allow-network=127.0.0.0/8"),
    )
    done = await kubectl.until_it_works(config, "auth", "whoami", "-o", "json")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == user
    assert kubectl(config, "get", "configmaps", "-n", "kube-system").returncode == 0, "the ClusterRole is bound"
    assert "Forbidden" in kubectl(config, "get", "secrets", "-n", "kube-system").stderr, "and no more"


def test_connect_says_what_an_earlier_one_left_there(connect):
    """It takes nothing away: fewer roles, or another name of this cluster, leave what was granted."""
    options = ("left", f"--audience={DIRECT}")

    def warned(*more):
        said = connect(*options, "--dry-run", *more).stderr
        return [line for line in said.splitlines() if line.startswith("warning: ClusterRoleBinding")]

    connect(*options, f"--cluster-role={READER}")
    assert warned(f"--cluster-role={READER}") == []
    [left] = warned()
    assert f"ClusterRole {READER}" in left
    renamed = warned("--home-name=orient")
    assert len(renamed) == 2
    assert all("if this cluster was called east before" in line for line in renamed)


def test_connect_refuses_two_clusters_with_one_issuer(connect, control_plane):
    words = ("same", f"--audience={DIRECT}", "--export")
    refused = connect(*words, f"--kubeconfig={control_plane.kubeconfig()}", code=1)
    assert "an issuer of its own" in refused.stderr
    assert "leave out --dry-run" in connect(*words, "--dry-run", code=2).stderr


def test_an_issuer_that_is_away_is_said_before_anything_is_written(site, connect, tmp_path):
    """kube-apiserver would not take the file (1.37): which entry it is, and what to do, while one can still think about it."""
    [closed] = choose_ports(1)
    file = tmp_path / "authentication.yaml"
    gone = f"https://localhost:{closed}"
    file.write_text(yaml.safe_dump(build_configuration([trust_cluster(site.described(gone, "x"), "gone")])))
    said = connect("away", "--audience=north", "--dry-run", f"--authentication-config={file}").stderr
    [warning] = [line for line in said.splitlines() if line.startswith("warning: ")]
    assert f"issuer {gone} does not answer from here" in warning
    assert "take its entry out first" in warning
    untrusted = connect("away", "--audience=north", "--export", "--issuer-ca", site.cluster_ca).stderr
    assert f"issuer {site.issuer} does not answer from here" in untrusted
    assert "certificate is not trusted" in untrusted
