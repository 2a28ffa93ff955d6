"""One reading of an exchange for Clusters and commands: every word of the API and of the options means the same."""

from typing import get_args

import pytest

from kraut_core.api.v1alpha1.cluster import ClientAuthentication as ClientSpec
from kraut_core.api.v1alpha1.cluster import Provider
from kraut_core.errors import InvalidSpecError
from kraut_core.identity.clientauth import Method
from kraut_core.identity.described import GRANTS, METHODS, TOKEN_TYPES, describe_client, describe_exchange
from kraut_core.identity.exchange import ACCESS_TOKEN, ID_TOKEN, JWT, dex_exchange
from kraut_core.identity.sources import FileTokenSource

WHERE = {"token_endpoint": "https://sts.example.com/token", "subject_audience": "https://sts.example.com"}


def words_of(model, field):
    """The words that the CRD allows in a field."""
    annotation = model.model_fields[field].annotation
    return [word for part in (annotation, *get_args(annotation)) for word in get_args(part) if isinstance(word, str)]


@pytest.fixture
def subject(tmp_path):
    return FileTokenSource(tmp_path / "token")


def exchange(**words):
    return describe_exchange(**WHERE, **words)


def test_words_of_kubernetes_and_of_oauth_mean_the_same(subject):
    types = {"JWT": JWT, "IDToken": ID_TOKEN, "AccessToken": ACCESS_TOKEN}
    assert {*words_of(Provider, "subject_token_type")} == {*types} == {*words_of(Provider, "requested_token_type")}
    for (word, urn), option in zip(types.items(), TOKEN_TYPES, strict=True):
        for spelled in (word, option):
            found = exchange(subject_token_type=spelled, requested_token_type=spelled)
            assert (found.subject_token_type, found.requested_token_type) == (urn, urn)
    for word, grant in zip(words_of(Provider, "grant_type"), GRANTS, strict=True):
        assert exchange(grant=word).grant == exchange(grant=grant).grant == grant
    assert [*METHODS] == [*get_args(Method)]
    credential = {"client_id": "kraut", "secret": "planted"}
    for word, method in zip(words_of(ClientSpec, "method"), METHODS, strict=True):
        for spelled in (word, method):
            assert describe_client(exchange(), subject, method=spelled, **credential).method == method


def test_what_dex_wants_can_be_described():
    found = exchange(
        subject_token_type="IDToken",
        requested_token_type="id_token",
        send_audience=False,
        scope=["openid"],
        parameters={"connector_id": "east"},
    )
    assert found == dex_exchange(**WHERE, connector_id="east")


def test_a_service_account_is_its_own_assertion_where_subjects_go(subject):
    found = describe_client(exchange(), subject, method="ServiceAccount")
    assert (found.source, found.audience) == (subject, WHERE["subject_audience"])
    other = describe_client(exchange(), subject)
    assert (other.source, other.audience) == (None, None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"grant": "password"}, "token-exchange, jwt-bearer, client-credentials"),
        ({"subject_token_type": "saml2"}, "jwt, id_token, access_token"),
        ({"parameters": {"subject_token": "x"}}, "kraut sets these itself"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could(words, said):
    with pytest.raises(InvalidSpecError, match=said):
        exchange(**words)


def test_who_acts_for_itself_shows_who_it_is(subject):
    acting = exchange(grant="ClientCredentials")
    assert describe_client(acting, subject, method="ServiceAccount").source is subject
    with pytest.raises(InvalidSpecError, match="must show who it is"):
        describe_client(acting, subject)


def test_a_method_that_cannot_be_is_refused(subject):
    with pytest.raises(InvalidSpecError, match="client_secret_basic"):
        describe_client(exchange(), subject, method="tls_client_auth")
