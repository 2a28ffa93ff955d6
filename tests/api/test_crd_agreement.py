"""The API server and the models accept and refuse the same, as far as a CRD can say it."""

import base64
import copy
from zoneinfo import available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kraut_core.api.kinds import all_kinds, kind_named
from kraut_core.crd import all_definitions

pytestmark = pytest.mark.integration

EXAMPLES = 250

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJc1kLZ7"

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
references = st.fixed_dictionaries({"name": names})
endpoints = {
    "address": st.sampled_from(["198.18.0.1", "2001:db8::1", "web-1.example.com", "h"]),
    "credentialsRef": references,
}
endpoint_options = {"port": st.integers(1, 65535), "user": st.sampled_from(["root", "kraut", "_apt", "svc$"])}
host_keys = st.lists(
    st.sampled_from([HOST_KEY, f"{HOST_KEY} root@web-1", HOST_KEY.replace("ed25519", "rsa")]), max_size=3
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5", "Asia/Kathmandu"])
crons = st.sampled_from(["0 22 * * SAT", "*/5 0-6 1,15 JAN-MAR 1-5", "0  3 L * *", "15 4 * * sun#2", "0 0 LW */2 5L"])
windows = st.fixed_dictionaries(
    {"start": crons, "duration": st.sampled_from(["4h", "90m", "1h30m", "9999h"])}, optional={"timeZone": zones}
)
exclusions = st.sampled_from(
    [
        {"start": "2026-12-24T00:00:00Z", "end": "2027-01-02T00:00:00Z"},
        {"start": "2026-12-24T00:00:00+01:00", "end": "2026-12-24T00:00:00Z"},
        {"start": "2026-12-24T00:00:00.25Z", "end": "2026-12-24T00:00:00.250001Z"},
        {"start": "2026-12-24T00:00:00Z", "end": "2026-12-24T00:00:00Z"},
    ]
)
hosts = st.fixed_dictionaries(
    endpoints,
    optional={
        **endpoint_options,
        "protocol": st.just("SSH"),
        "hostKeys": host_keys,
        "hostKeyPolicy": st.sampled_from(["Strict", "TrustOnFirstUse"]),
        "jumpHost": st.fixed_dictionaries({**endpoints, "hostKeys": host_keys}, optional=endpoint_options),
        "paused": st.booleans(),
        "site": names,
        "operatingSystem": st.fixed_dictionaries(
            {},
            optional={
                "updates": st.sampled_from(["None", "Security", "All"]),
                "rebootPolicy": st.sampled_from(["IfRequired", "Always", "Never"]),
            },
        ),
        "upgradePolicyRef": references,
        "maintenance": st.fixed_dictionaries(
            {},
            optional={"windows": st.lists(windows, max_size=2), "exclusions": st.lists(exclusions, max_size=2)},
        ),
    },
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "rollingUpdate": st.fixed_dictionaries(
            {}, optional={"maxUnavailable": st.integers(0, 5) | st.sampled_from(["0%", "25%", "100%"])}
        ),
        "minReadySeconds": st.integers(0, 86_400),
        "progressDeadlineSeconds": st.integers(30, 86_400),
        "backoffLimit": st.integers(0, 100),
    },
)
CA = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").decode()
urls = st.sampled_from(["https://east.example.com", "https://[2001:db8::1]:6443", "https://r.example.com/k8s/c-1/"])
audiences = st.sampled_from(["https://api.east.example.com", "east"])
server = {"server": urls, "audience": audiences, "serviceAccountName": names}
server_options = {"caBundle": st.just(CA)}
token_types = st.sampled_from(["JWT", "IDToken", "AccessToken"])
parameters = st.fixed_dictionaries(
    {"name": st.sampled_from(["connector_id", "x", "grant_type", "client_id"]), "value": names}
)
providers = st.fixed_dictionaries(
    {"tokenEndpoint": urls, "subjectAudience": audiences},
    optional={
        **server_options,
        "grantType": st.sampled_from(["TokenExchange", "JWTBearer"]),
        "subjectTokenType": token_types,
        "requestedTokenType": token_types,
        "sendAudience": st.booleans(),
        "resource": urls,
        "scopes": st.lists(names, max_size=2),
        "parameters": st.lists(parameters, max_size=3),
    },
)
client_authentications = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["None", "ClientSecretBasic", "ClientSecretPost", "PrivateKeyJWT", "ServiceAccount"]),
        "clientID": audiences,
        "secretRef": references,
        "keyID": names,
        "algorithm": st.sampled_from(["RS256", "PS256", "ES256", "ES384"]),
    },
)
clusters = st.fixed_dictionaries(
    {
        "access": st.fixed_dictionaries(
            {},
            optional={
                "kubeconfig": st.fixed_dictionaries(
                    {"secretRef": references}, optional={"key": st.just("value"), "context": names}
                ),
                "direct": st.fixed_dictionaries(server, optional=server_options),
                "exchange": st.fixed_dictionaries(
                    {**server, "provider": providers},
                    optional={**server_options, "clientAuthentication": client_authentications},
                ),
            },
        )
    },
    optional={"issuer": urls},
)

ODD_TEXTS = [
    "",
    " ",
    "22",
    "true",
    "null",
    "25%",
    "025%",
    "101%",
    "SSH",
    "ssh",
    "a" * 64,
    "a" * 254,
    "ä",
    "日本",
    "\x00",
    "a\n",
    "\na",
    "-a",
    "a-",
    "a..b",
    "A",
    "::",
    ":",
    "1.2.3.4:22",
    "0 0 * *",
    "0 0 * * * *",
    "60 0 * * *",
    "* * * * 8",
    "0 0 32 * *",
    "0 22 * * SAT\n",
    "* * * * MON-FRI/2",
    "@daily",
    "0h",
    "0m",
    "01h",
    "1h0m",
    "1d",
    "10000h",
    "h",
    "Local",
    "CET",
    "Mars/Olympus",
    "Europe",
    "europe/berlin",
    "../UTC",
    "/UTC",
    "UTC/",
    "posixrules",
    "Factory",
    "GMT+2",
    "+02:00",
    "2026-02-31T00:00:00Z",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-01-01t00:00:00z",
    "2026-01-01 00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T23:59:60Z",
    "2026-01-01T00:00:00+25:00",
    "2026-01-01T00:00:00+14:61",
    "2026-01-01T00:00:00-00:00",
    "0001-01-01T00:00:00Z",
    "2999-12-31T23:59:59-23:59",
    "2026-01-01T00:00:00.1234567Z",
    f"{HOST_KEY}\n",
    f" {HOST_KEY}",
    f"{HOST_KEY} with a comment",
    f"{HOST_KEY}\tx",
    "ssh-dss AAAA",
    "ssh-ed25519  AAAA",
    f"no-pty {HOST_KEY}",
    f"{HOST_KEY} {'a' * 4096}",
    "1," * 65 + "1 0 * * *",
    "5-1 0 * * *",
    "* * * * SUNL",
    "* * * * 7L,1#5",
    "* * LW * *",
    "*/0 * * * *",
    "https://",
    "https://a",
    "HTTPS://a",
    "http://a",
    "https://A",
    "https://user@a",
    "https://a:123456",
    "https://a?b",
    "https://a/b c",
    "https://a/../b",
    "https://a//",
    "https://a\n",
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
    "-----BEGIN CERTIFICATE-----",
]  # fmt: skip
ODD_VALUES = [
    *ODD_TEXTS,
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        22,
        22.0,
        22.5,
        1e300,
        -0.0,
        65536,
        2**31,
        2**63,
        2**70,
        [],
        {},
        [None],
        [""],
        [[]],
        [{}],
    ),
    *({"name": ""}, {"name": "A"}, {"name": "a", "namespace": "b"}, {"name": None}, {"start": None}),
]
odd_values = st.one_of(st.sampled_from(ODD_VALUES), st.text(max_size=8), st.integers())

ACCESS = {"server": "https://a", "caBundle": CA, "audience": "east", "serviceAccountName": "kraut-worker"}
WAYS = {
    "kubeconfig": {"secretRef": {"name": "east"}, "key": "value", "context": "admin"},
    "direct": ACCESS,
    "exchange": {
        **ACCESS,
        "provider": {
            "tokenEndpoint": "https://dex.example.com/token",
            "caBundle": CA,
            "grantType": "TokenExchange",
            "subjectAudience": "https://dex.example.com",
            "subjectTokenType": "IDToken",
            "requestedTokenType": "IDToken",
            "sendAudience": False,
            "resource": "https://a",
            "scopes": ["openid"],
            "parameters": [{"name": "connector_id", "value": "east"}],
        },
        "clientAuthentication": {
            "method": "PrivateKeyJWT",
            "clientID": "east",
            "secretRef": {"name": "dex"},
            "keyID": "1",
            "algorithm": "ES256",
        },
    },
}
"""Each is good alone: of a Cluster's access there is one."""

FULL = {
    **{f"Cluster by {way}": {"access": {way: spec}, "issuer": "https://a"} for way, spec in WAYS.items()},
    "Host": {
        "address": "198.18.0.1",
        "port": 22,
        "user": "kraut",
        "credentialsRef": {"name": "web"},
        "protocol": "SSH",
        "hostKeys": [HOST_KEY],
        "hostKeyPolicy": "Strict",
        "jumpHost": {
            "address": "jump.example.com",
            "port": 22,
            "user": "kraut",
            "credentialsRef": {"name": "jump"},
            "hostKeys": [HOST_KEY],
        },
        "paused": False,
        "site": "default",
        "operatingSystem": {"updates": "All", "rebootPolicy": "IfRequired"},
        "upgradePolicyRef": {"name": "web"},
        "maintenance": {
            "windows": [{"start": "0 22 * * SAT", "duration": "4h", "timeZone": "Europe/Berlin"}],
            "exclusions": [{"start": "2026-12-24T00:00:00Z", "end": "2027-01-02T00:00:00Z"}],
        },
    },
    "UpgradePolicy": {
        "rollingUpdate": {"maxUnavailable": "25%"},
        "minReadySeconds": 10,
        "progressDeadlineSeconds": 600,
        "backoffLimit": 6,
    },
}


def places(value, path=()):
    """Every path into ``value``, of containers and of what they hold."""
    yield path
    if isinstance(value, dict):
        for key in sorted(value):
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


@st.composite
def disturbed(draw, specs):
    """A valid spec with up to two things replaced, removed or added."""
    spec = copy.deepcopy(draw(specs))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
        *parents, last = draw(st.sampled_from([path for path in places(spec) if path] or [("extra",)]))
        target = spec
        for part in parents:
            target = target[part]
        action = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
        if action == "remove" and last in (target if isinstance(target, dict) else range(len(target))):
            del target[last]
        elif action == "add" and isinstance(target, dict):
            target[draw(st.sampled_from(["unknown", "Port", "host_keys", "timeZone", "rebootPolicy"]))] = copy.deepcopy(
                draw(odd_values)
            )
        else:
            target[last] = copy.deepcopy(draw(odd_values))
    return spec


def judge_by_model(kind, body):
    try:
        kind.model.model_validate(body)
    except ValidationError as error:
        return f"refused by the model: {error}"
    return "accepted"


def judge_by_server(admin, kind, body):
    path = kind.path.replace("/v1alpha1/", "/v1alpha1/namespaces/default/")
    status, answer = admin.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)
    if status == 201:
        return "accepted"
    assert status in {400, 422}, answer
    return f"refused by the API server: {answer['message']}"


def disagreement(admin, kind, spec):
    """None, or a description of how the two differ."""
    body = {"apiVersion": "kraut.dev/v1alpha1", "kind": kind.name, "metadata": {"name": "a"}, "spec": spec}
    server, model = judge_by_server(admin, kind, body), judge_by_model(kind, body)
    if (server == "accepted") == (model == "accepted"):
        return None
    return f"{spec}\n  {server}\n  {model}"


FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(spec=disturbed(hosts))
def test_hosts(admin, spec):
    assert disagreement(admin, kind_named("Host"), spec) is None


@FUZZ
@given(spec=disturbed(clusters))
def test_clusters(admin, spec):
    assert disagreement(admin, kind_named("Cluster"), spec) is None


@FUZZ
@given(spec=disturbed(policies))
def test_upgrade_policies(admin, spec):
    assert disagreement(admin, kind_named("UpgradePolicy"), spec) is None


def replaced(spec, path, value):
    if not path:
        return value
    result = copy.copy(spec)
    result[path[0]] = replaced(spec[path[0]], path[1:], value)
    return result


@pytest.mark.parametrize("name", sorted(FULL))
def test_every_place_with_every_odd_value(admin, name):
    kind = kind_named(name.split()[0])
    assert disagreement(admin, kind, FULL[name]) is None
    differences = [
        disagreement(admin, kind, replaced(FULL[name], path, value))
        for path in places(FULL[name])
        for value in ODD_VALUES
        # the root must be an object before there is anything to disagree on
        if path or isinstance(value, dict)
    ]
    assert [difference for difference in differences if difference] == []


def test_every_time_zone_of_this_machine(admin):
    kind = kind_named("Host")
    place = ("maintenance", "windows", 0, "timeZone")
    differences = [
        disagreement(admin, kind, replaced(FULL["Host"], place, zone)) for zone in sorted(available_timezones())
    ]
    assert [difference for difference in differences if difference] == []


def test_full_specs_name_every_field():
    """A field added to a kind is added here, or its odd values go untested."""
    for kind in all_kinds():
        root = next(item for item in all_definitions() if item["spec"]["names"]["kind"] == kind.name)
        schema = root["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        named = {
            tuple(part for part in path if isinstance(part, str))
            for name, spec in FULL.items()
            if name.split()[0] == kind.name
            for path in places(spec)
            if path
        }
        assert field_paths(schema) == named, kind.name


def field_paths(schema, path=()):
    schema = schema.get("items", schema)
    found = {path} if path else set()
    return found.union(*(field_paths(value, (*path, key)) for key, value in schema.get("properties", {}).items()))
