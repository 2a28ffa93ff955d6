import pytest
from sample import LOG

from kraut_cli.formats.escape import escape
from kraut_cli.formats.table import render
from kraut_cli.logs import text_of

RETITLE = "\x1b]0;pwned\x07\x1b[2J\x9b31m\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Debian 12\tü\n", "Debian 12\tü\n"),
        (RETITLE, r"^[]0;pwned^G^[[2J\x9b31m^M"),
        ("\x00\x7f", "^@^?"),
    ],
)
def test_control_characters_are_seen_and_not_obeyed(text, shown):
    assert escape(text) == shown


def test_no_output_of_a_host_steers_the_terminal():
    log = LOG | {"data": {"output": RETITLE, "operation": "not JSON"}}
    for shown in (text_of(log), render(["OS"], [[RETITLE]])):
        assert "\x1b" not in shown
        assert "\x9b" not in shown
