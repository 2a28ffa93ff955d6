import traceback

import pytest

from kraut_cli.inventory.files import parse, read_inventory
from kraut_cli.inventory.model import InventoryError


@pytest.mark.parametrize(
    ("text", "suffix", "said"),
    [
        ("", "", "expected hosts, found none"),
        ("[web]\n", "", "expected hosts, found none"),
        ("[web]\nweb1 port\n", "", "line 2: expected key=value after the host, found 'port'"),
        ("[web]\nweb[1:\n", "", "line 2: expected a range"),
        ("[web:kids]\nx\n", "", r"line 1: expected \[web\], \[web:vars\] or \[web:children\]"),
        ("web1\n[web:children]\nnowhere\n", "", "line 3: expected a group that has a section, found 'nowhere'"),
        ("[web:vars]\nnothing\n", "", "line 2: expected key=value"),
        ('web1 note="open\n', "", "line 1: No closing quotation"),
        ("[a:children]\nb\n[b:children]\na\n[c]\nhost1\n", "", "without loops, found a > b > a"),
        ("all: [web1]\n", ".yml", "expected a mapping for group all, found list"),
        ("web:\n  host: {web1: }\n", ".yml", "expected hosts, vars or children in group web, found host"),
        ("all: {", ".yaml", "expected YAML"),
    ],
)
def test_the_message_says_where_and_what_was_expected(text, suffix, said):
    with pytest.raises(InventoryError, match=said):
        parse(text, suffix).hosts()


def test_a_folder_is_left_to_ansible(tmp_path):
    with pytest.raises(InventoryError, match=r"ansible-inventory -i .* --list \| kraut host import -i -"):
        read_inventory(tmp_path)


def test_a_script_is_never_run(tmp_path):
    script = tmp_path / "inventory"
    script.write_text("#!/bin/sh\ntouch ran\n")
    script.chmod(0o755)
    with pytest.raises(InventoryError, match="found a script"):
        read_inventory(script)
    assert not (tmp_path / "ran").exists()


def test_a_broken_file_shows_no_line_of_itself():
    text = "all:\n  vars:\n    ansible_password: planted: {\n"
    with pytest.raises(InventoryError, match=r"line 3, column \d+") as caught:
        parse(text, ".yml")
    assert "planted" not in "".join(traceback.format_exception(caught.value))
