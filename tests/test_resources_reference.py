"""Every field, reason and Event of kraut's kinds is documented, and the reference says what models and worker say."""

import ast

import pytest
from reasons import errors
from resources_reference import NAMES, REFERENCE, WORKER, render

TEXT = render()
NOT_OF_A_CONDITION = {
    "Conflict": "the activity is tried again",
    "NotFound": "nothing is started: the Host is gone",
    "UnknownOutcome": "the host is asked again what became of the operation",
}
"""Reasons of errors that never reach a condition, and what becomes of them instead."""

SOURCES = [pytest.param(file, id=str(file.relative_to(WORKER))) for file in sorted(WORKER.rglob("*.py"))]


def test_the_reference_is_what_the_models_say():
    assert REFERENCE.read_text() == TEXT, "run `make generate` and commit docs/reference/resources.md"


@pytest.mark.parametrize("file", SOURCES)
def test_a_reason_that_the_worker_gives_is_documented(file):
    given = {reason.name for reason in errors(file, NAMES)} - set(NOT_OF_A_CONDITION)
    assert {name for name in given if f"`{name}`" not in TEXT} == set(), "add the file to tools/resources_reference.py"


def test_events_that_the_worker_writes_by_name_are_documented():
    written = {
        word.value.value
        for file in WORKER.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Event"
        for word in node.keywords
        if word.arg == "reason" and isinstance(word.value, ast.Constant)
    }
    assert written
    assert {name for name in written if f"`{name}`" not in TEXT} == set()


def test_a_message_shows_what_the_object_has_as_an_ellipsis(tmp_path):
    file = tmp_path / "errors.py"
    file.write_text(
        "KEY = 'password'\n"
        "def f(name, error):\n"
        "    message = f'Secret {name} needs {KEY} ({error})'\n"
        "    raise SecretError(message, reason='SecretIncomplete')\n"
    )
    (found,) = errors(file, {})
    assert (found.name, found.sentence, found.permanent) == ("SecretIncomplete", "Secret … needs password", True)
