"""The scripts as text: what they refuse to be made of, and that every shell of Debian understands them."""

import subprocess
import uuid
from dataclasses import replace

import pytest

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.operations.apt import update_packages
from kraut_worker.operations.outcome import OperationSpec
from kraut_worker.operations.polling import parse_poll, poll_script
from kraut_worker.operations.protocol import remove_all, start
from kraut_worker.operations.reboot import reboot
from kraut_worker.operations.removal import remove_script
from kraut_worker.operations.starting import parse_start, start_script
from kraut_worker.operations.unit import RUN
from kraut_worker.ports import CommandResult
from kraut_worker.testing import ScriptedShell

SPEC = OperationSpec(
    id=str(uuid.uuid4()), type="UpdatePackages", fencing_token=3, boot_id=str(uuid.uuid4()), script="echo @ID@ $(id)"
)
SCRIPTS = {
    "start": start_script(SPEC),
    "poll": poll_script(SPEC.id, 0, max_bytes=10, wait_seconds=1),
    "remove": remove_script(3),
    "unit": RUN,
    "reboot": reboot(),
    "all": update_packages("All"),
    "security": update_packages("Security"),
}


@pytest.mark.parametrize("sh", ["dash", "bash --posix"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_posix_sh(name: str, sh: str) -> None:
    checked = subprocess.run([*sh.split(), "-n"], input=SCRIPTS[name], text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_nothing_is_left_to_fill_in() -> None:
    for name, script in SCRIPTS.items():
        text = script.replace(SPEC.script, "")
        assert "@" not in text.replace('"$@"', ""), name


def test_the_script_of_an_operation_is_embedded_as_it_is() -> None:
    assert f"\n{SPEC.script}\n" in SCRIPTS["start"]


@pytest.mark.parametrize(
    "id_", ["", "x", "../../etc", "6BCB97F6-16B1-420A-8F16-A8D3C6E64AC7", "71e2bce3-fd81-47c8-82e2-c7b20ca94395\n"]
)
def test_an_id_that_is_no_uuid_is_refused(id_: str) -> None:
    with pytest.raises(ValueError, match="lower-case UUID"):
        start_script(replace(SPEC, id=id_))


def test_a_script_cannot_end_its_own_embedding() -> None:
    with pytest.raises(ValueError, match="end marker"):
        start_script(replace(SPEC, script=f"echo\nEND-{SPEC.id}\nrm -rf /"))


@pytest.mark.parametrize("stdout", [b"", b"answer=\n", b"answer=Nonsense\nvalue=\n"])
def test_no_answer_is_unknown(stdout: bytes) -> None:
    with pytest.raises(UnknownOutcomeError, match="no answer"):
        parse_start(CommandResult(1, stdout, b"sh: broken"), SPEC)
    with pytest.raises(UnknownOutcomeError, match="no answer"):
        parse_poll(CommandResult(1, stdout, b"sh: broken"), SPEC.id, 0)


async def test_an_unknown_answer_to_a_removal_is_unknown() -> None:
    shell = ScriptedShell(replies=[CommandResult(1, b"", b"flock: bad")])
    with pytest.raises(UnknownOutcomeError, match="flock: bad"):
        await remove_all(shell)


async def test_outcomes() -> None:
    said = {
        b"Started": (True, "", 0, ""),
        b"RefusedToken": (False, "", 9, ""),
        b"Busy": (False, "9", 0, ""),
        b"RefusedBootID": (False, "", 0, "9"),
        b"AlreadyLost": (True, "", 0, ""),
    }
    for answer, expected in said.items():
        reply = CommandResult(0, b"answer=" + answer + b"\nvalue=9\n", b"")
        outcome = await start(ScriptedShell(replies=[reply]), SPEC)
        assert (outcome.attachable, outcome.other_id, outcome.token, outcome.boot_id) == expected


def test_output_that_looks_like_a_header_is_output() -> None:
    stdout = b"unit=inactive\nspec.type=Reboot\nbootID=b\nsize=20\nchunk\nresult.exitCode=0\n\nchunk\nx"
    state = parse_poll(CommandResult(0, stdout, b""), SPEC.id, 7)
    assert (state.state, state.exit_code) == ("Pending", None)
    assert state.chunk == b"result.exitCode=0\n\nchunk\nx"
    assert state.offset == 7 + len(state.chunk)
