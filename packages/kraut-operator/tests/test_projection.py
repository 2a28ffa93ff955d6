"""From a declaration to what is decoded and remembered."""

import json
from typing import Any

import msgspec
import pytest

from kraut_core.api.kinds import Kind, Reference, all_kinds, kind_named
from kraut_core.kube.replica import View
from kraut_operator.entry import Entry, Named, Observed
from kraut_operator.projection import LabelSelector, Requirement, project_kind, project_metadata
from kraut_operator.testing.kinds import KINDS, MEMBER, POOL, TASK, Pool, declare

METADATA: dict[str, Any] = {
    "name": "x",
    "namespace": "n",
    "uid": "u",
    "resourceVersion": "12",
    "generation": 3,
    "labels": {"a": "b"},
    "annotations": {"kraut.dev/requested-at": "now", "other": "ignored"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
}


def remember(view: View[Entry], manifest: dict[str, Any]) -> Entry:
    return view.keep(msgspec.json.decode(json.dumps(manifest), type=view.shape))


def host(**status: Any) -> Entry:
    manifest = {
        "metadata": METADATA,
        "spec": {
            "address": "192.0.2.1",
            "credentialsRef": {"name": "key"},
            "jumpHost": {"address": "192.0.2.2", "credentialsRef": {"name": "jump-key"}, "hostKeys": ["k"]},
            "upgradePolicyRef": {"name": "policy"},
        },
        "status": {"hostInfo": {"osImage": "Debian"}, **status},
    }
    return remember(project_kind(kind_named("Host"), all_kinds()), manifest)


def test_of_a_host_its_references_and_its_answer_are_remembered() -> None:
    seen = {"kind": "Secret", "name": "key", "uid": "su", "version": "9"}
    assert host(observedGeneration=2, lastHandledRequest="before", observedReferences=[seen]) == Entry(
        kind="Host",
        namespace="n",
        name="x",
        uid="u",
        resource_version="12",
        generation=3,
        requested="now",
        answered=2,
        handled="before",
        references=(Named("Secret", "key"), Named("Secret", "jump-key"), Named("UpgradePolicy", "policy")),
        observed=(Observed("Secret", "key", "su", "9"),),
    )


def test_absent_fields_are_no_references() -> None:
    view = project_kind(kind_named("Host"), all_kinds())
    found = remember(view, {"metadata": {"name": "x"}, "spec": {"credentialsRef": {"name": "key"}, "jumpHost": None}})
    assert found.references == (Named("Secret", "key"),)
    assert (found.requested, found.answered, found.deleting, found.generation) == ("", 0, False, 0)
    assert remember(view, {"metadata": {}}).references == ()


def test_an_object_that_is_named_twice_is_one_reference() -> None:
    view = project_kind(kind_named("Host"), all_kinds())
    both = {"credentialsRef": {"name": "key"}}
    assert remember(view, {"metadata": {}, "spec": {**both, "jumpHost": both}}).references == (Named("Secret", "key"),)


def test_a_request_is_compared_as_far_as_the_status_can_hold_it() -> None:
    annotations = {"kraut.dev/requested-at": "x" * 300}
    view = project_kind(kind_named("Host"), all_kinds())
    assert remember(view, {"metadata": {"annotations": annotations}}).requested == "x" * 256


def test_a_deletion_is_noticed() -> None:
    view = project_kind(kind_named("Host"), all_kinds())
    assert remember(view, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}).deleting


def test_of_a_secret_nothing_but_its_identity_is_decoded() -> None:
    view = project_metadata("Secret", all_kinds())
    found = remember(view, {"metadata": METADATA, "data": {"password": "cGxhbnRlZA=="}})
    assert found == Entry(kind="Secret", namespace="n", name="x", uid="u", resource_version="12")
    assert msgspec.structs.fields(view.shape)[0].name == "metadata"
    assert len(msgspec.structs.fields(view.shape)) == 1


def test_labels_are_remembered_where_somebody_selects_by_them() -> None:
    assert remember(project_kind(MEMBER, KINDS), {"metadata": METADATA}).labels == {"a": "b"}
    assert remember(project_kind(TASK, KINDS), {"metadata": METADATA}).labels == {}


def test_selectors_are_remembered_whole() -> None:
    expressions = [{"key": "zone", "operator": "In", "values": ["east"]}]
    spec = {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": expressions}}
    found = remember(project_kind(POOL, KINDS), {"metadata": METADATA, "spec": spec})
    [selection] = found.selections
    assert selection.kind == "Member"
    assert selection.selector == LabelSelector({"a": "b"}, (Requirement("zone", "In", ("east",)),))
    [nothing] = remember(project_kind(POOL, KINDS), {"metadata": METADATA, "spec": {}}).selections
    assert nothing.selector is None


def test_the_controller_among_the_owners_is_remembered() -> None:
    owners = [
        {"apiVersion": "kraut.dev/v1alpha1", "kind": "Pool", "name": "p", "uid": "1", "controller": True},
        {"apiVersion": "kraut.dev/v1alpha1", "kind": "Pool", "name": "no-controller", "uid": "2"},
        {"apiVersion": "apps/v1", "kind": "Pool", "name": "foreign", "uid": "3", "controller": True},
    ]
    found = remember(project_kind(TASK, KINDS), {"metadata": {**METADATA, "ownerReferences": owners}})
    assert found.owners == (Named("Pool", "p"),)


def test_every_declared_path_is_a_field_of_its_model() -> None:
    for kind in all_kinds():
        for path in [reference.path for reference in kind.references] + [selector.path for selector in kind.selectors]:
            schema: dict[str, Any] = kind.model.model_json_schema(by_alias=True)
            place = schema
            for step in path:
                while "$ref" in place or "anyOf" in place:
                    target = place.get("$ref") or next(o["$ref"] for o in place["anyOf"] if "$ref" in o)
                    place = schema["$defs"][target.rpartition("/")[2]]
                assert step in place["properties"], f"{kind.name}: {'.'.join(path)}"
                place = place["properties"][step]


def test_a_reference_outside_of_the_spec_is_refused() -> None:
    odd: Kind = declare(
        Pool, "pools", reconciled=True, references=(Reference(("status", "x"), "Secret", "generation"),)
    )
    with pytest.raises(ValueError, match="fields of the spec"):
        project_kind(odd, (odd,))
