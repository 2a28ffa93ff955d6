"""Every command and option is documented, and the reference says what the commands say."""

from cli_reference import REFERENCE, render


def test_the_reference_is_what_the_commands_say():
    assert REFERENCE.read_text() == render(), "run `make generate` and commit docs/reference/cli.md"
