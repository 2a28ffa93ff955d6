import errno

import pytest

from kraut_cli import inplace
from kraut_cli.inplace import write_in_place


def test_a_file_keeps_its_inode_and_mode(tmp_path):
    file = tmp_path / "authn.yaml"
    file.write_text("a longer text than the new one")
    file.chmod(0o640)
    before = file.stat()
    write_in_place(file, "new")
    assert file.read_text() == "new"
    assert (file.stat().st_ino, file.stat().st_mode) == (before.st_ino, before.st_mode)
    assert [found.name for found in tmp_path.iterdir()] == ["authn.yaml"]


def test_a_new_file_is_nobody_elses(tmp_path):
    write_in_place(tmp_path / "authn.yaml", "new")
    assert (tmp_path / "authn.yaml").stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["authn.yaml"]


def test_a_full_disk_costs_nothing(tmp_path, monkeypatch):
    file = tmp_path / "authn.yaml"
    file.write_text("old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(inplace.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_in_place(file, "new")
    assert file.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["authn.yaml"]
