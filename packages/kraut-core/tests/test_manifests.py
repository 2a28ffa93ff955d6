"""What `python -m kraut_core.manifests` prints is what the lab's clusters are given, and every test runs under."""

import yaml

from kraut_core.manifests import all_documents
from kraut_core.manifests.__main__ import main


def test_what_is_printed_is_everything_in_the_order_to_apply_it(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert [document for document in yaml.safe_load_all(printed) if document] == all_documents()
    assert "Narrow it where that matters" in printed, "the comments of the files are printed too"
