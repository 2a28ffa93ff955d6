import errno
from concurrent.futures import ThreadPoolExecutor

import pytest

from kraut_cli import inplace
from kraut_cli.inplace import one_writer, write_in_place


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


def test_nobody_can_make_it_write_elsewhere(tmp_path):
    """In a folder that others may write to, a link that bears the name of the file beside would lead anywhere."""
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "authn.yaml").write_text("old")
    (folder / ".authn.yaml.kraut").symlink_to(victim)
    write_in_place(folder / "authn.yaml", "new")
    assert victim.read_text() == "theirs"
    assert (folder / "authn.yaml").read_text() == "new"


def test_one_writes_at_a_time(tmp_path):
    """Who reads, changes and writes loses nothing of another who does the same."""
    file = tmp_path / "count"
    file.write_text("0")

    def count(_):
        with one_writer(file):
            write_in_place(file, str(int(file.read_text()) + 1))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(count, range(64)))
    assert file.read_text() == "64"
