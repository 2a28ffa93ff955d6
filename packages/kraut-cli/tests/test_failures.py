"""Which exit code and which sentence an error ends with."""

import click
import pytest
from click.testing import CliRunner

from kraut_cli.failures import NotReadyError
from kraut_cli.loading import LazyGroup
from kraut_cli.options import common_options
from kraut_core.errors import ApiServerError, ConflictError, ForbiddenError, InvalidSpecError, NotFoundError

GET = "GET /apis/kraut.dev/v1alpha1/namespaces/default/hosts/web1"


def run(error, *arguments):
    @click.group(cls=LazyGroup, lazy={})
    @common_options
    def root():
        pass

    @root.command()
    @common_options
    def fail():
        raise error

    return CliRunner().invoke(root, ["fail", *arguments])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NotFoundError(f'{GET}: HTTP 404: hosts.kraut.dev "web1" not found'), 1, 'hosts.kraut.dev "web1" not found'),
        (
            NotFoundError(f"{GET}: HTTP 404: the server could not find the requested resource"),
            1,
            f"the server could not find the requested resource ({GET}): are kraut's CRDs installed in this cluster, and is this the right --context?",
        ),
        (
            ConflictError('PATCH /x: HTTP 409: Apply failed with 1 conflict: conflict with "flux": .spec.port'),
            1,
            'Apply failed with 1 conflict: conflict with "flux": .spec.port: change these fields where they are managed, or let that manager give them up',
        ),
        (
            ApiServerError(f"{GET}: no answer from https://192.0.2.1:6443: timeout"),
            1,
            "no answer from https://192.0.2.1:6443: timeout; check --kubeconfig and --context, and that the API server runs",
        ),
        (ApiServerError(f"{GET}: HTTP 503: shutting down", status=503), 1, "shutting down"),
        (ForbiddenError("PATCH /x: HTTP 403: hosts.kraut.dev is forbidden"), 1, "hosts.kraut.dev is forbidden"),
        (
            ForbiddenError(
                "PATCH /x: HTTP 422: hosts.kraut.dev \"web1\" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: change freeze"
            ),
            4,
            "hosts.kraut.dev \"web1\" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: change freeze",
        ),
        (
            ForbiddenError('PATCH /x: HTTP 403: admission webhook "gate.example.com" denied the request: closed'),
            4,
            'admission webhook "gate.example.com" denied the request: closed',
        ),
        (
            ForbiddenError(
                'POST /x: HTTP 403: hosts.kraut.dev "web1" is forbidden: exceeded quota: hosts, requested: 1'
            ),
            4,
            'hosts.kraut.dev "web1" is forbidden: exceeded quota: hosts, requested: 1',
        ),
        (NotReadyError("timed out after 5 s: web1: Unreachable"), 3, "timed out after 5 s: web1: Unreachable"),
        (InvalidSpecError("Host 'x' cannot be"), 1, "Host 'x' cannot be"),
        (FileNotFoundError(2, "No such file or directory", "hosts.ini"), 1, "hosts.ini: No such file or directory"),
    ],
)
def test_exit_codes_and_sentences(error, code, said):
    result = run(error)
    assert result.exit_code == code
    assert result.stderr == f"error: {said}\n"
    assert result.stdout == ""


def test_usage_is_two():
    result = run(click.UsageError("expected a name"))
    assert result.exit_code == 2
    assert "expected a name" in result.stderr


def test_a_defect_says_so_and_shows_its_traceback_only_with_debug():
    plain, debug = run(KeyError("spec")), run(KeyError("spec"), "--debug")
    assert plain.exit_code == debug.exit_code == 1
    assert plain.stderr.startswith("error: kraut met something it did not expect: KeyError: 'spec'.")
    assert "Traceback" not in plain.stderr
    assert debug.stderr.startswith("Traceback")
