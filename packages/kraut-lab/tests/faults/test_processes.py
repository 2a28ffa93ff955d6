"""Faults of processes hit the process and heal, also when what they were made for fails."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kraut_lab.errors import LabError
from kraut_lab.faults.limits import descriptors, no_descriptors_left
from kraut_lab.faults.signals import stopped
from kraut_lab.processes import ProcessId
from kraut_lab.waiting import wait_until

OPENS = """
import json, sys
for line in sys.stdin:
    try:
        open("/dev/null").close()
        print(json.dumps("opened"), flush=True)
    except OSError as error:
        print(json.dumps(error.errno), flush=True)
"""
EMFILE = 24


@dataclass
class Opener:
    """A process that opens a file whenever it is asked to."""

    popen: "subprocess.Popen[str]"

    @property
    def process(self) -> ProcessId | None:
        return ProcessId.of(self.popen.pid)

    def open(self) -> object:
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.write("open\n")
        self.popen.stdin.flush()
        return json.loads(self.popen.stdout.readline())

    def state(self) -> str:
        return Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def opener() -> Iterator[Opener]:
    argv = [sys.executable, "-c", OPENS]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as popen:
        yield Opener(popen)
        popen.kill()


def test_nothing_can_be_opened_and_then_again(opener: Opener) -> None:
    assert opener.open() == "opened"
    before = descriptors(opener)
    with contextlib.suppress(ZeroDivisionError), no_descriptors_left(opener):
        assert opener.open() == EMFILE
        raise ZeroDivisionError
    assert opener.open() == "opened"
    assert descriptors(opener) == before


def test_a_stopped_process_goes_on(opener: Opener) -> None:
    opener.open()
    with contextlib.suppress(ZeroDivisionError), stopped(opener):
        wait_until(lambda: opener.state() == "T", "the process to stand still")
        raise ZeroDivisionError
    assert opener.open() == "opened"


def test_a_process_that_is_gone_cannot_be_hurt(opener: Opener) -> None:
    opener.popen.kill()
    opener.popen.wait()
    with pytest.raises(LabError, match="there is none"), stopped(opener):
        raise AssertionError("not reached")
