"""The table of operations.state, and that nothing unknown is ever an end (fault matrix: I12)."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_worker.operations.reading import READ_FUNCTION, observe, read_state
from kraut_worker.operations.state import TERMINAL, Observation, decide_state

HERE, BEFORE = "boot-here", "boot-before"


def seen(*, spec: bool = True, active: bool = False, result: int | None = None, claim: str = HERE) -> Observation:
    return Observation(
        spec=spec, unit_active=active, result_exit_code=result, claim_boot_id=claim, current_boot_id=HERE
    )


def test_the_table() -> None:
    assert decide_state(seen(spec=False)) == "Absent"
    assert decide_state(seen(result=0)) == "Done"
    assert decide_state(seen(result=1, active=True)) == "Done"
    assert decide_state(seen(active=True)) == "Running"
    assert decide_state(seen(active=True, claim="")) == "Running"
    assert decide_state(seen(claim="")) == "Pending"
    assert decide_state(seen()) == "Lost"
    assert decide_state(seen(claim=BEFORE)) == "Rebooted"


def answer(**values: str) -> dict[str, str]:
    said = {"unit": "inactive", "spec.type": "Reboot", "spec.bootID": HERE, "claim.bootID": HERE, "bootID": HERE}
    return said | {key.replace("_", "."): value for key, value in values.items()}


def test_a_unit_that_systemd_does_not_tell_of_is_not_gone() -> None:
    assert read_state(answer(unit="unknown")).state == "Running"
    assert read_state({**answer(), "unit": ""}).state == "Running"


def test_a_claim_whose_boot_id_was_not_written_is_of_the_boot_it_was_decided_in() -> None:
    lost = {**answer(claimed="yes"), "claim.bootID": ""}
    assert observe(lost).claim_boot_id == HERE
    assert read_state(lost).state == "Lost"
    assert read_state({**lost, "spec.bootID": BEFORE}).state == "Rebooted"


def test_a_result_without_an_exit_code_is_no_result() -> None:
    assert read_state({**answer(), "result.exitCode": ""}).state == "Lost"


@pytest.mark.skipif(sys.platform != "linux", reason="hosts run Linux: /proc tells their boot id")
@pytest.mark.parametrize("result", ["", "exitCode=", "exitCode=0"], ids=["empty", "cut", "whole"])
@pytest.mark.parametrize("claim", ["", "{boot}", "{boot}\n"], ids=["empty", "no newline", "whole"])
@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"]], ids=["dash", "bash"])
def test_what_a_full_disk_leaves_is_read_as_an_end(tmp_path: Path, shell: list[str], claim: str, result: str) -> None:
    """The result's blocks could not be allocated: then it is made all the same, with nothing in it, and nobody may wait for more."""
    folder = tmp_path / "0d9d57d2-c0f0-4e07-a7ae-2b1eb6e7a9e5"
    (folder / "claim").mkdir(parents=True)
    for boot in (Path("/proc/sys/kernel/random/boot_id").read_text().strip(), BEFORE):
        (folder / "spec").write_text(f"type=Reboot\ntoken=3\nbootID={boot}\ncreated=1\n")
        (folder / "claim" / "bootID").write_text(claim.format(boot=boot))
        (folder / "result").write_text(result)
        script = f"{READ_FUNCTION}\nread_operation '{folder}'"
        said = subprocess.run([*shell, "-c", script], capture_output=True, text=True, check=True)
        values = dict(line.split("=", 1) for line in said.stdout.splitlines())
        ended = "Rebooted" if boot == BEFORE else "Lost"
        assert read_state(values).state == ("Done" if result == "exitCode=0" else ended)
        assert said.stderr == ""


@given(
    st.builds(
        Observation,
        spec=st.booleans(),
        unit_active=st.booleans(),
        result_exit_code=st.none() | st.integers(0, 255),
        claim_boot_id=st.sampled_from(["", HERE, BEFORE]),
        current_boot_id=st.just(HERE),
    )
)
def test_an_end_needs_evidence(observed: Observation) -> None:
    state = decide_state(observed)
    if state == "Done":
        assert observed.result_exit_code is not None
    elif state in TERMINAL:
        assert observed.claim_boot_id
        assert not observed.unit_active
