"""What `kraut cluster connect` reads from files and puts into files, without any API server."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from click import UsageError

from kraut_cli.clusters.connecting import Connecting, Options
from kraut_cli.clusters.issuers import silent_issuers
from kraut_cli.session import Session
from kraut_core.errors import InvalidSpecError
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import choose_ports

EAST = "https://oidc.east.example.com"
PROVIDER = {"tokenEndpoint": "https://dex.example.com/token", "subjectAudience": "https://dex.example.com"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("pki"), "ca")


@pytest.fixture(scope="module")
def pem(authority):
    return authority.files.certificate.read_text()


@pytest.fixture(scope="module")
def key(authority):
    return authority.files.key.read_text()


def connecting(**changes):
    options = {
        "name": "west",
        "namespace": "fleet",
        "audience": "https://api.west.example.com",
        "home_name": "east",
        "target_kubeconfig": None,
        "target_context": None,
        "target_version": None,
        "server": "https://west.example.com:6443",
        "ca_file": None,
        "service_account": "kraut",
        "cluster_role": (),
        "issuer": EAST,
        "issuer_ca": None,
        "discovery_url": None,
        "provider": None,
        "provider_issuer": None,
        "provider_claim": None,
        "replace": False,
        "second_issuer": False,
    }
    return Connecting(Session(), Options(**(options | changes)))


def of_home(name):
    return connecting(home_name=name, issuer=f"https://oidc.{name}.example.com")


def issuers_in(file):
    return [entry["issuer"]["url"] for entry in yaml.safe_load(file.read_text())["jwt"]]


def access_of(plan):
    return plan.home[-1]["spec"]["access"]


@pytest.mark.parametrize("existed", [True, False])
def test_what_others_wrote_since_the_plan_stays(tmp_path, existed):
    """Minutes lie between the two: both API servers and every issuer are asked meanwhile."""
    file = tmp_path / "authentication.yaml"
    if existed:
        north = of_home("north")
        north.write_configuration(north.plan(existing=file), file, dry_run=False)
    homes = [of_home(name) for name in ("east", "south")]
    plans = [home.plan(existing=file) for home in homes]
    for home, plan in zip(homes, plans, strict=True):
        assert home.write_configuration(plan, file, dry_run=False).endswith("written")
    expected = [*(["https://oidc.north.example.com"] if existed else []), EAST, "https://oidc.south.example.com"]
    assert issuers_in(file) == expected
    assert homes[0].write_configuration(plans[0], file, dry_run=True).endswith("unchanged (dry run)")
    assert homes[0].write_configuration(plans[0], file, dry_run=False).endswith("unchanged")


def test_what_others_wrote_since_the_plan_may_speak_against_it(tmp_path):
    file = tmp_path / "authentication.yaml"
    first, second = connecting(), connecting(audience="https://other.example.com")
    plans = first.plan(existing=file), second.plan(existing=file)
    first.write_configuration(plans[0], file, dry_run=False)
    before = file.read_bytes()
    with pytest.raises(InvalidSpecError, match="--replace"):
        second.write_configuration(plans[1], file, dry_run=False)
    assert file.read_bytes() == before


def test_all_who_write_at_once_stand_in_the_file(tmp_path):
    file = tmp_path / "authentication.yaml"
    homes = [of_home(f"home-{number}") for number in range(16)]
    together = threading.Barrier(len(homes))

    def write(home):
        plan = home.plan(existing=file)
        together.wait()
        home.write_configuration(plan, file, dry_run=False)

    with ThreadPoolExecutor(len(homes)) as pool:
        list(pool.map(write, homes))
    assert sorted(issuers_in(file)) == sorted(f"https://oidc.home-{number}.example.com" for number in range(16))
    assert [found.name for found in tmp_path.iterdir()] == [file.name]


def by_provider(tmp_path, document):
    file = tmp_path / "provider.yaml"
    file.write_text(yaml.safe_dump(document))
    return connecting(provider=file, provider_issuer="https://dex.example.com")


def test_a_provider_file_says_provider_and_how_the_client_shows_itself(tmp_path):
    shown = {"method": "ClientSecretBasic", "clientID": "west", "secretRef": {"name": "dex"}}
    for document in ({"provider": PROVIDER}, {"provider": PROVIDER, "clientAuthentication": shown}):
        way = access_of(by_provider(tmp_path, document).plan(existing=None))["exchange"]
        assert {name: way[name] for name in document} == document


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (PROVIDER, "subjectAudience, tokenEndpoint"),
        ({"provider": PROVIDER, "clientauthentication": {}}, "clientauthentication"),
        ({"provider": PROVIDER, "subjectAudience": "x"}, "subjectAudience"),
        ({"exchange": {"provider": PROVIDER}}, "exchange"),
        ({"clientAuthentication": {"method": "None"}}, "clientAuthentication"),
        ({"provider": None}, "provider"),
        ({"provider": {}}, "provider"),
        ({"provider": "https://dex.example.com/token"}, "provider"),
        ({"provider": PROVIDER, "clientAuthentication": "ClientSecretBasic"}, "clientAuthentication"),
        ({7: PROVIDER}, "7"),
    ],
)
def test_a_provider_file_that_says_something_else_is_no_direct_cluster(tmp_path, document, found):
    """Else the token would go to the target unexchanged, and the client's credential nowhere."""
    with pytest.raises(InvalidSpecError, match="provider and, if needed, clientAuthentication") as caught:
        by_provider(tmp_path, document).plan(existing=None)
    assert found in str(caught.value)


def target_kubeconfig(tmp_path, ca):
    file = tmp_path / "ca.pem"
    file.write_text(ca)
    return connecting(ca_file=file)


def ca_bundle(tmp_path, text):
    return target_kubeconfig(tmp_path, text).plan(existing=None).home[-1]["spec"]["access"]["direct"]["caBundle"]


def in_entry(tmp_path, text):
    file = tmp_path / "issuer-ca.pem"
    file.write_bytes(text.encode("latin-1"))
    [entry] = connecting(issuer_ca=file).plan(existing=None).configuration["jwt"]
    return entry["issuer"]["certificateAuthority"]


@pytest.mark.parametrize("take", [ca_bundle, in_entry])
def test_of_a_pem_file_only_the_certificates_are_taken(tmp_path, pem, key, take):
    plain = take(tmp_path, pem)
    for around in (f"# Z\u00fcrich\n{pem}", f"Subject: CN=ca\n{pem}\ntrailing", pem.replace("\n", "\r\n")):
        assert take(tmp_path, around) == plain
    assert take(tmp_path, pem + pem) != plain
    for text in (key + pem, pem + key, key.replace("PRIVATE", "ENCRYPTED PRIVATE") + pem):
        with pytest.raises(InvalidSpecError, match="private key") as caught:
            take(tmp_path, text)
        assert key.splitlines()[1] not in str(caught.value)
    for text in ("", "no PEM", "0\u0082\u0001\u00ff", pem.replace("BEGIN", "B"), pem.replace("M", "!")):
        with pytest.raises(InvalidSpecError, match="PEM certificates"):
            take(tmp_path, text)


def test_a_kubeconfigs_authorities_are_read_alike(tmp_path, pem, key):
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://a", "certificate-authority": "ca.pem"}}],
    }
    (tmp_path / "ca.pem").write_text(pem + key)
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(InvalidSpecError, match="private key"):
        connecting(target_kubeconfig=file)._wish(None)


async def test_an_authority_with_a_comment_in_another_language_is_one(pem):
    """In a file that a person wrote: the issuer is what does not answer, not the command that breaks."""
    [closed] = choose_ports(1)
    issuer = {"url": f"https://localhost:{closed}", "certificateAuthority": f"# Z\u00fcrich\n{pem}"}
    [warning] = await silent_issuers({"jwt": [{"issuer": issuer}]})
    assert "Connect call failed" in warning
    issuer["certificateAuthority"] = "# Z\u00fcrich"
    [warning] = await silent_issuers({"jwt": [{"issuer": issuer}]})
    assert "should hold PEM certificates" in warning


@pytest.mark.parametrize(
    ("version", "written"),
    [
        (None, "v1"),
        ("1.34", "v1"),
        ("v1.37.2", "v1"),
        ("2.0", "v1"),
        ("v1.33.4+k3s1", "v1beta1"),
        ("v1.30.0-eks-1234", "v1beta1"),
    ],
)
def test_the_document_is_one_that_the_api_server_reads(version, written):
    assert connecting(target_version=version).plan(existing=None).configuration["apiVersion"].endswith(f"/{written}")


@pytest.mark.parametrize("version", ["v1.29.9", "1.9"])
def test_an_api_server_that_reads_no_such_document_is_said(version):
    with pytest.raises(InvalidSpecError, match=r"1\.30"):
        connecting(target_version=version).plan(existing=None)


@pytest.mark.parametrize("version", ["", "latest", "1", "1.x", "\u0661.\u0663\u0663"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises((InvalidSpecError, UsageError), match=r"1\.33"):
        connecting(target_version=version).plan(existing=None)


@pytest.fixture
def old_server(tmp_path):
    """The other API server, as far as it says which version it is; a kubeconfig that leads to it."""

    class Old(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"gitVersion": "v1.33.4+k3s1"} if self.path == "/version" else {}).encode()
            self.send_response(200 if self.path == "/version" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Old)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    file = tmp_path / "old.kubeconfig"
    file.write_text(yaml.safe_dump(document))
    yield file
    server.shutdown()
    server.server_close()


def test_the_api_server_itself_says_which_version_it_is(old_server):
    planned = connecting(target_kubeconfig=old_server).plan(existing=None)
    assert planned.configuration["apiVersion"].endswith("/v1beta1")
    told = connecting(target_kubeconfig=old_server, target_version="1.34").plan(existing=None)
    assert told.configuration["apiVersion"].endswith("/v1")


def test_a_document_that_stands_there_keeps_its_version(tmp_path):
    file = tmp_path / "authentication.yaml"
    old = connecting(target_version="1.33")
    old.write_configuration(old.plan(existing=file), file, dry_run=False)
    new = of_home("south")
    new.write_configuration(new.plan(existing=file), file, dry_run=False)
    assert yaml.safe_load(file.read_text())["apiVersion"].endswith("/v1beta1")
    assert len(issuers_in(file)) == 2
