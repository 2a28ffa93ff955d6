"""Every HTTP status becomes one of kraut's errors, and the message is the API server's."""

import json

import pytest

from kraut_core.errors import ApiServerError, ConflictError, ForbiddenError, NotFoundError
from kraut_core.kube.objects import Secret
from kraut_core.kube.transport import MAX_MESSAGE_CHARACTERS, refusal, status_message


@pytest.mark.parametrize(
    ("status", "error", "permanent"),
    [
        (400, ForbiddenError, True),
        (401, ForbiddenError, True),
        (403, ForbiddenError, True),
        (404, NotFoundError, True),
        (409, ConflictError, False),
        (410, ApiServerError, False),
        (422, ForbiddenError, True),
        (429, ApiServerError, False),
        (301, ApiServerError, False),
        (500, ApiServerError, False),
        (503, ApiServerError, False),
    ],
)
def test_a_status_is_an_error(status: int, error: type[Exception], permanent: bool) -> None:
    found = refusal(status, "why", "GET /x")
    assert (type(found), found.permanent, str(found)) == (error, permanent, f"GET /x: HTTP {status}: why")
    assert getattr(found, "status", status) == status


def test_refused_writes_and_refused_identities_have_reasons_of_their_own() -> None:
    assert (refusal(422, "", "").reason, refusal(403, "", "").reason) == ("Invalid", "Forbidden")


def test_only_a_kubernetes_status_is_quoted() -> None:
    status = {"kind": "Status", "message": 'hosts "x" not found'}
    assert status_message(json.dumps(status).encode()) == 'hosts "x" not found'
    for other in (b"<html>secret</html>", b"", b"[]", b'{"message": "secret"}', b"\xff"):
        assert status_message(other) == ""
    long = json.dumps({"kind": "Status", "message": "x" * 5000}).encode()
    assert len(status_message(long)) == MAX_MESSAGE_CHARACTERS


def test_a_secret_does_not_show_its_data() -> None:
    secret = Secret("n", "s", "uid", "1", data={"password": b"planted"})
    assert "planted" not in repr(secret)
    assert "planted" not in f"{secret}"
