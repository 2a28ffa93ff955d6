import pytest

from kraut_cli.kubeconfig import context_namespace, namespace_in

FIRST = {
    "current-context": "east",
    "contexts": [{"name": "east", "context": {"namespace": "fleet"}}, {"name": "west", "context": {"cluster": "w"}}],
}
SECOND = {
    "current-context": "north",
    "contexts": [{"name": "east", "context": {"namespace": "other"}}, {"name": "north", "context": {"namespace": "n"}}],
}


@pytest.mark.parametrize(
    ("documents", "context", "namespace"),
    [
        ([FIRST], None, "fleet"),
        ([FIRST], "west", None),
        ([FIRST], "nowhere", None),
        ([FIRST, SECOND], None, "fleet"),
        ([FIRST, SECOND], "north", "n"),
        ([{}, SECOND], None, "n"),
        ([{"contexts": None}], None, None),
        ([], None, None),
    ],
)
def test_of_several_files_the_first_to_say_it_wins(documents, context, namespace):
    assert namespace_in(documents, context) == namespace


def test_a_file_that_cannot_be_read_has_no_namespace(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("a: [")
    assert context_namespace(f"{broken}:{tmp_path / 'absent'}", None) is None
