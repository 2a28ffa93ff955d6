"""Redaction: what looks like a secret goes, what people need to read stays."""

import pytest

from kraut_core.redaction import REDACTED, is_secret_name, looks_secret, redact, redact_text

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrcmF1dCJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2, cut before its en",
        "hunter2hunter2\nhunter2==\n-----END OPENSSH PRIVATE KEY-----\nits beginning was cut off",
        "Authorization: Bearer hunter2hunter2",
        "Authorization: Basic hunter2hunter2==",
        f"token {JWT}",
        "cloning https://git:hunter2@git.example.com/repo",
        "login with password=hunter2 failed",
        "password=a&hunter2",
        "password='a hunter2' is wrong",
        'password="a hunter2" is wrong',
    ],
)
def test_secrets_go(text):
    redacted = redact_text(text)
    assert "hunter2" not in redacted
    assert JWT not in redacted
    assert REDACTED in redacted
    assert looks_secret(text)
    assert not looks_secret(redacted)


@pytest.mark.parametrize(
    "text",
    [
        "the host refused the key of Secret prod/web-1: install its public half",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJc1 root@web-1",
        "needs passphrase: the Secret has none",
        "https://temporal.example.com/namespaces/default/workflows/a",
        "boot id 6f2c6e0e-5d0b-4a0e-9f3b-5b7a7e0a3b52",
        "Bearer of bad news",
    ],
)
def test_sentences_stay(text):
    assert redact_text(text) == text


def test_known_secrets_go_wherever_they_stand():
    key = "-----BEGIN KEY-----\nfirst line of it\nsecond one\n-----END KEY-----\n"
    said = 'Password for kraut is "hunter2!" and the key\n> first line of it\n> second one'
    assert redact_text(said, known=["hunter2!", key]) == (
        f'Password for kraut is "{REDACTED}" and the key\n> {REDACTED}\n> {REDACTED}'
    )


def test_a_known_secret_that_is_part_of_another_leaves_no_rest():
    assert redact_text("hunter2hunter2", known=["hunter2", "hunter2hunter2"]) == REDACTED


def test_a_very_short_known_secret_is_not_told_by_its_absence():
    assert redact_text("root logged in", known=["root"]) == "root logged in"


@pytest.mark.parametrize("name", ["password", "ssh-privatekey", "privateKey", "apiKey", "Authorization", "id_token"])
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["secret", "secretName", "credentialsRef", "hostKeys", "key", "tokens_left", "reason"])
def test_names_of_what_only_points_at_secrets(name):
    assert not is_secret_name(name)


def test_structures_are_walked_and_numbers_stay():
    value = {
        "data": [{"password": "hunter2"}, ("Bearer hunter2hunter2",)],
        "fencingToken": 3,
        "raw": b"password=hunter2",
    }
    assert redact(value) == {
        "data": [{"password": REDACTED}, [f"Bearer {REDACTED}"]],
        "fencingToken": 3,
        "raw": f"password={REDACTED}",
    }


def test_what_nests_too_deep_is_dropped():
    value = "hunter2"
    for _ in range(20):
        value = {"a": value}
    assert "hunter2" not in str(redact(value))
