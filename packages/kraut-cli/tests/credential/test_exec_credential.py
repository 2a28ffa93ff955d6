import json

import click
import pytest
from click.testing import CliRunner

from kraut_cli.credential.__main__ import credential
from kraut_cli.credential.cache import TokenFiles
from kraut_cli.credential.exec_credential import answer, told_audience
from kraut_core.errors import PermanentError
from kraut_core.identity.sources import Token

V1 = "client.authentication.k8s.io/v1"
TOKEN = Token("e30.e30.e30", 2_000.0)


def info(version=V1, kind="ExecCredential", **cluster):
    return json.dumps({"apiVersion": version, "kind": kind, "spec": {"interactive": False, "cluster": cluster}})


@pytest.mark.parametrize(
    ("told", "audience"),
    [
        (None, None),
        ("", None),
        (info(), None),
        (info(config={"audience": "west"}), "west"),
        (info(config={"audience": 1}), None),
    ],
)
def test_the_audience_that_the_kubeconfig_tells(told, audience):
    assert told_audience(told) == audience


@pytest.mark.parametrize("told", ["{", "[]", info(kind="Pod"), info("client.authentication.k8s.io/v1beta1")])
def test_another_protocol_is_refused(told):
    with pytest.raises(click.UsageError, match="KUBERNETES_EXEC_INFO"):
        told_audience(told)


def test_the_answer_ends_before_the_token_does():
    found = json.loads(answer(TOKEN, 0.0))
    assert found["status"] == {"token": "e30.e30.e30", "expirationTimestamp": "1970-01-01T00:26:40Z"}
    assert (found["apiVersion"], found["kind"]) == (V1, "ExecCredential")


def test_a_folder_that_others_may_read_takes_no_token(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(PermanentError, match="chmod 700"):
        TokenFiles(tmp_path).write("key", TOKEN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the --audience"),
        (["--audience=a"], "either --token-file or --service-account"),
        (["--audience=a", "--service-account=a"], "NAMESPACE/NAME"),
        (["--audience=a", "--service-account=a/b"], "needs --kubeconfig"),
        (["--audience=a", "--token-file=x", "--parameter=x"], "NAME=VALUE"),
    ],
)
def test_bad_usage_is_exit_code_2(arguments, said):
    result = CliRunner().invoke(credential, arguments, env={"KUBERNETES_EXEC_INFO": ""})
    assert result.exit_code == 2
    assert said in result.output
