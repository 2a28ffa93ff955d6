"""The shipped RBAC grants what the operator watches, and nothing else."""

from importlib import resources
from typing import Any

import yaml

from kraut_core.api.kinds import all_kinds
from kraut_core.kube.paths import FOREIGN
from kraut_operator.settings import OperatorSettings


def role(kind: str) -> list[dict[str, Any]]:
    text = (resources.files("kraut_core") / "manifests" / "rbac" / "operator.yaml").read_text()
    [found] = [document for document in yaml.safe_load_all(text) if document["kind"] == kind]
    rules: list[dict[str, Any]] = found["rules"]
    return rules


def test_every_kind_and_everything_it_refers_to_can_be_watched() -> None:
    kinds = all_kinds()
    referred = {reference.kind for kind in kinds for reference in kind.references}
    referred |= {selector.kind for kind in kinds for selector in kind.selectors}
    wanted = {("kraut.dev", kind.plural) for kind in kinds}
    wanted |= {("", FOREIGN[kind]) for kind in referred if kind in FOREIGN}
    watched = {
        (group, resource)
        for rule in role("ClusterRole")
        if "watch" in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert watched == wanted


def test_nothing_but_the_lease_is_written() -> None:
    for rule in role("ClusterRole"):
        assert set(rule["verbs"]) <= {"get", "list", "watch"}
        assert rule["verbs"] != ["get"] or rule["resourceNames"] == ["kube-system"]
    named, create = role("Role")
    assert (named["resourceNames"], named["verbs"]) == ([OperatorSettings().lease_name], ["get", "update"])
    assert (create["resources"], create["verbs"]) == (["leases"], ["create"])
