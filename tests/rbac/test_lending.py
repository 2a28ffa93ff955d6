"""Whoever writes a Host or a Cluster lends kraut's rights to it, and must hold them himself: no Secret and no service account of
the namespace is at anybody's service who may write no more than a Host or a Cluster (docs/decisions/0005).
"""

import itertools
import time

import pytest

from kraut_core.api.v1alpha1.host import HostSpec

pytestmark = pytest.mark.integration

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATIENCE_SECONDS = 300
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExam"
SERVER = {"server": "https://west.example.com", "audience": "west", "serviceAccountName": "fleet"}
EXCHANGE = {
    **SERVER,
    "provider": {"tokenEndpoint": "https://dex.example.com/token", "subjectAudience": "https://dex.example.com"},
    "clientAuthentication": {"method": "ClientSecretPost", "clientID": "west", "secretRef": {"name": "dex"}},
}
KUBECONFIG = {"kubeconfig": {"secretRef": {"name": "west-kubeconfig"}}}
HOST = {"address": "198.18.0.1", "credentialsRef": {"name": "web"}, "hostKeys": [HOST_KEY]}
JUMP = {"address": "198.18.0.2", "credentialsRef": {"name": "jump"}, "hostKeys": [HOST_KEY]}

_numbers = itertools.count()


def right(group, resource, *verbs, name=""):
    """A rule of a Role, for one object if ``name`` is given."""
    return {
        "apiGroups": [group],
        "resources": [resource],
        "verbs": [*verbs],
        **({"resourceNames": [name]} if name else {}),
    }


def tokens(account):
    return right("", "serviceaccounts/token", "create", name=account)


def secret(name, *verbs):
    return right("", "secrets", *(verbs or ("get",)), name=name)


class Person:
    """Somebody with no rights in a namespace but those that a test gives."""

    def __init__(self, admin, namespace):
        self.name = f"jane-{next(_numbers)}"
        self._admin, self._namespace = admin, namespace

    def __call__(self, method, plural, body=None, *, name="", content_type="application/json", query=""):
        core = plural in {"secrets"}
        group = "/api/v1" if core else "/apis/kraut.dev/v1alpha1"
        path = f"{group}/namespaces/{self._namespace}/{plural}{f'/{name}' if name else ''}{query}"
        return self._admin.request(method, path, body, content_type, Impersonate_User=self.name)

    def creates(self, kind, spec, name):
        body = {"apiVersion": "kraut.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        return self("POST", f"{kind.lower()}s", body)

    def changes(self, kind, name, spec):
        return self("PATCH", f"{kind.lower()}s", {"spec": spec}, name=name, content_type=MERGE)

    def may(self, *rules):
        """Give rights, and wait until they are in force."""
        role = f"{self.name}-{next(_numbers)}"
        self._created("roles", {"metadata": {"name": role}, "rules": [*rules]})
        self.holds("Role", role)
        for rule in rules:
            for verb in rule["verbs"]:
                self._until_allowed(verb, rule)

    def holds(self, kind, role):
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self.name}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
        metadata = {"name": f"{self.name}-{role}"}
        self._created("rolebindings", {"metadata": metadata, "roleRef": reference, "subjects": [subject]})

    def _created(self, plural, body):
        status, answer = self._admin.request("POST", f"{RBAC}/namespaces/{self._namespace}/{plural}", body)
        assert status == 201, answer

    def _until_allowed(self, verb, rule):
        resource, _, subresource = rule["resources"][0].partition("/")
        attributes = {"verb": verb, "group": rule["apiGroups"][0], "resource": resource, "subresource": subresource}
        attributes |= {"namespace": self._namespace, "name": rule.get("resourceNames", [""])[0]}
        review = {"kind": "SubjectAccessReview", "spec": {"user": self.name, "resourceAttributes": attributes}}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._reviewed(review):
            assert time.monotonic() < deadline, f"{self.name} was never allowed {attributes}"
            time.sleep(0.05)

    def _reviewed(self, review):
        status, answer = self._admin.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        assert status == 201, answer
        return answer["status"]["allowed"]


@pytest.fixture(scope="module", autouse=True)
def policies(admin):
    """In force: the API server reads policies a moment after they were written."""
    person = Person(admin, "default")
    person.may(right("kraut.dev", "hosts", "create"), right("kraut.dev", "clusters", "create"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    for kind, spec in (("Host", HOST), ("Cluster", {"access": KUBECONFIG})):
        body = {"apiVersion": "kraut.dev/v1alpha1", "kind": kind, "metadata": {"name": "probe"}, "spec": spec}
        while person("POST", f"{kind.lower()}s", body, query="?dryRun=All")[0] < 400:
            assert time.monotonic() < deadline, f"the admission policy for {kind} never came into force"
            time.sleep(0.1)


@pytest.fixture
def person(admin, namespace):
    """Who may write Hosts and Clusters, and nothing else."""
    found = Person(admin, namespace)
    verbs = ("create", "update", "patch")
    found.may(right("kraut.dev", "hosts", *verbs), right("kraut.dev", "clusters", *verbs))
    return found


@pytest.fixture
def owner(admin, namespace):
    """Who may use everything that the objects of this file name."""
    found = Person(admin, namespace)
    verbs = ("create", "update", "patch")
    named = [secret(name) for name in ("web", "jump", "dex", "west-kubeconfig")]
    found.may(right("kraut.dev", "hosts", *verbs), right("kraut.dev", "clusters", *verbs), tokens("fleet"), *named)
    return found


def refused(answer, *words):
    status, said = answer
    assert (status, said["reason"]) == (403, "Forbidden"), said
    for word in words:
        assert word in said["message"], said["message"]


def accepted(answer):
    status, said = answer
    assert status in {200, 201}, said


@pytest.mark.parametrize(
    ("access", "needed", "useless", "sentence"),
    [
        ({"direct": SERVER}, [tokens("fleet")], [tokens("other"), secret("fleet")], "serviceaccounts/token"),
        (
            KUBECONFIG,
            [secret("west-kubeconfig")],
            [secret("other"), secret("west-kubeconfig", "create", "update"), tokens("west-kubeconfig")],
            "get the Secret",
        ),
        ({"exchange": EXCHANGE}, [tokens("fleet"), secret("dex")], [secret("fleet"), tokens("dex")], "that it names"),
    ],
    ids=["direct", "kubeconfig", "exchange"],
)
def test_who_writes_a_cluster_may_use_what_it_names(person, access, needed, useless, sentence):
    refused(person.creates("Cluster", {"access": access}, "west"), sentence, person.name)
    person.may(*useless)
    for one in needed:
        refused(person.creates("Cluster", {"access": access}, "west"), sentence)
        person.may(one)
    accepted(person.creates("Cluster", {"access": access}, "west"))


def test_the_right_of_each_credential_is_asked_for(admin, namespace):
    """An exchange needs both: one of the two is not enough, whichever it is."""
    for given, missing in ((tokens("fleet"), "get the Secret"), (secret("dex"), "serviceaccounts/token")):
        one = Person(admin, namespace)
        one.may(right("kraut.dev", "clusters", "create"), given)
        refused(one.creates("Cluster", {"access": {"exchange": EXCHANGE}}, "west"), missing)


def test_who_may_not_use_them_changes_everything_of_a_cluster_but_its_access(person, owner):
    accepted(owner.creates("Cluster", {"access": {"direct": SERVER}}, "west"))
    elsewhere = {"server": "https://elsewhere.example.com"}
    refused(person.changes("Cluster", "west", {"access": {"direct": elsewhere}}), "serviceaccounts/token")
    refused(person.changes("Cluster", "west", {"access": {"direct": None, **KUBECONFIG}}), "get the Secret")
    accepted(person.changes("Cluster", "west", {"issuer": "https://oidc.west.example.com"}))
    labelled = {"metadata": {"labels": {"team": "web"}, "annotations": {"kraut.dev/requested-at": "now"}}}
    accepted(person("PATCH", "clusters", labelled, name="west", content_type=MERGE))
    accepted(owner.changes("Cluster", "west", {"access": {"direct": elsewhere}}))


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_who_writes_a_host_may_read_its_secret(person, verb):
    refused(person.creates("Host", HOST, "web-1"), "spec.credentialsRef names, web", person.name)
    # None of these shows what is in a Secret that exists; a Host at an address of one's own would show its password.
    person.may(secret("other"), secret("web", "create", "update", "delete"), tokens("web"))
    refused(person.creates("Host", HOST, "web-1"), "get or patch the Secret")
    person.may(secret("web", verb))
    accepted(person.creates("Host", HOST, "web-1"))
    refused(person.changes("Host", "web-1", {"jumpHost": JUMP}), "spec.jumpHost.credentialsRef names, jump")
    person.may(secret("jump", verb))
    accepted(person.changes("Host", "web-1", {"jumpHost": JUMP}))


def test_to_patch_a_secret_is_to_read_it(admin, person, namespace):
    """Why the right to patch is as good as the right to get."""
    planted = {"metadata": {"name": "web"}, "data": {"password": "cGxhbnRlZA=="}}
    status, answer = admin.request("POST", f"/api/v1/namespaces/{namespace}/secrets", planted)
    assert status == 201, answer
    refused(person("GET", "secrets", name="web"))
    person.may(secret("web", "patch"))
    refused(person("GET", "secrets", name="web"))
    status, answer = person("PATCH", "secrets", {}, name="web", content_type=MERGE, query="?dryRun=All")
    assert (status, answer["data"]) == (200, planted["data"])


def test_who_may_write_a_secret_and_not_read_it_adds_a_host_as_kraut_does(person):
    """The requests of `kraut host add`: both objects by server-side apply, first as a dry run."""
    person.may(right("", "secrets", "create", "patch"))
    key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "data": {"ssh-privatekey": "eA=="}}
    web1 = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "metadata": {"name": "web-1"}, "spec": HOST}
    refused(person("GET", "secrets", name="web"))
    for dry in ("&dryRun=All", ""):
        for plural, body in (("secrets", key), ("hosts", web1)):
            name, query = body["metadata"]["name"], f"?fieldManager=kraut-cli{dry}"
            accepted(person("PATCH", plural, body, name=name, content_type=APPLY, query=query))


ELSEWHERE = {
    "address": "203.0.113.1",
    "port": 2222,
    "user": "root",
    "credentialsRef": {"name": "other"},
    "hostKeys": None,
    "hostKeyPolicy": "Strict",
    "jumpHost": None,
    "site": "elsewhere",
}
"""A change of each field that says where kraut logs in, or with what."""
NOT_THERE = {
    "paused": True,
    "operatingSystem": {"updates": "Security"},
    "upgradePolicyRef": {"name": "web"},
    "maintenance": {"windows": []},
}
"""A change of each of the others. A new field of a Host joins one of the two, and the policy accordingly."""
ONE_VALUE = {"protocol"}
"""In the policy for the day on which it has a second value."""


def test_every_field_of_a_host_is_judged():
    assert {field.alias or name for name, field in HostSpec.model_fields.items()} == {
        *ELSEWHERE,
        *NOT_THERE,
        *ONE_VALUE,
    }


def test_who_may_not_read_the_secrets_changes_everything_of_a_host_but_where_and_with_what(person, owner):
    spec = {**HOST, "hostKeyPolicy": "TrustOnFirstUse", "jumpHost": JUMP}
    accepted(owner.creates("Host", spec, "web-1"))
    for field, value in ELSEWHERE.items():
        refused(person.changes("Host", "web-1", {field: value}), "get or patch the Secret")
    for field, value in NOT_THERE.items():
        accepted(person.changes("Host", "web-1", {field: value}))
    labelled = {"metadata": {"labels": {"team": "web"}, "finalizers": ["example.com/keep"]}}
    accepted(person("PATCH", "hosts", labelled, name="web-1", content_type=MERGE))
    accepted(person("PATCH", "hosts", {"metadata": {"finalizers": []}}, name="web-1", content_type=MERGE))
    accepted(owner.changes("Host", "web-1", {"address": "203.0.113.1"}))


@pytest.mark.parametrize("role", ["edit", "admin"])
def test_kubernetes_own_roles_are_enough(admin, namespace, role):
    """Both bring every right that is asked for: nobody who has one of them notices."""
    one = Person(admin, namespace)
    one.holds("ClusterRole", role)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while one("GET", "hosts")[0] != 200:  # the binding comes into force a moment later
        assert time.monotonic() < deadline
        time.sleep(0.05)
    accepted(one.creates("Host", {**HOST, "jumpHost": JUMP}, "web-1"))
    accepted(one.creates("Cluster", {"access": {"exchange": EXCHANGE}}, "west"))
    accepted(one.creates("Cluster", {"access": KUBECONFIG}, "east"))
