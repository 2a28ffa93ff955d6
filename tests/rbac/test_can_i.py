"""No service account can do more, or less, than its committed list says.

``KRAUT_TEST_UPDATE=1 make integration`` writes the lists anew; read the difference before committing it.
"""

import os
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

from kraut_core.api.kinds import all_kinds
from kraut_core.manifests import NAMESPACE, rbac

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parent
ACCOUNTS = sorted(document["metadata"]["name"] for document in rbac() if document["kind"] == "ServiceAccount")
VIEWS = ("default", NAMESPACE)


def can_i_list(control_plane, user, namespace, *groups):
    program = Path(sysconfig.get_path("scripts")) / "kubectl"
    config = control_plane.kubeconfig()
    argv = [
        *(program, f"--kubeconfig={config}", f"--cache-dir={config.parent / '.cache'}", f"--namespace={namespace}"),
        *(f"--as={user}", *(f"--as-group={group}" for group in groups), "auth", "can-i", "--list"),
    ]
    table = subprocess.run(argv, capture_output=True, text=True, check=True, env={}).stdout
    header, *rows = table.splitlines()
    return "\n".join([squeezed(header), *sorted(squeezed(row) for row in rows)])


def squeezed(row):
    """Columns apart by two spaces at least, whatever their width: it depends on the longest row."""
    return " | ".join(part.strip() for part in row.split("  ") if part.strip())


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_can_do_exactly_what_is_committed(control_plane, account):
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    found = "".join(f"# in {namespace}\n{can_i_list(control_plane, user, namespace)}\n\n" for namespace in VIEWS)
    file = FOLDER / f"{account}.txt"
    if os.environ.get("KRAUT_TEST_UPDATE"):
        file.write_text(found)
    assert found == file.read_text()


def test_every_list_is_of_an_account():
    assert sorted(file.stem for file in FOLDER.glob("*.txt")) == ACCOUNTS


def allowed(admin, verb, resource, *, namespace="default", group="kraut.dev", user="jane", groups=()):
    spec = {
        "user": user,
        "groups": list(groups),
        "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": namespace},
    }
    status, review = admin.request(
        "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"kind": "SubjectAccessReview", "spec": spec}
    )
    assert status == 201, review
    return review["status"]["allowed"]


@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        ("view", {"get", "list", "watch"}),
        ("edit", {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}),
        ("admin", {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}),
    ],
)
def test_roles_of_people_include_every_kind_and_no_status(admin, namespace, role, verbs):
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    status, answer = admin.request("POST", path, binding)
    assert status == 201, answer
    asked = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    for kind in all_kinds():
        found, deadline = set(), time.monotonic() + 300
        while found != verbs and time.monotonic() < deadline:  # bindings and aggregation come into force a moment later
            found = {verb for verb in asked if allowed(admin, verb, kind.plural, namespace=namespace)}
        assert found == verbs
        assert not any(allowed(admin, verb, f"{kind.plural}/status", namespace=namespace) for verb in asked)
