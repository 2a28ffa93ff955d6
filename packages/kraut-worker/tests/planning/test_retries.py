"""How often and how soon a failure is tried again."""

from datetime import timedelta

import pytest

from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.planning.retries import count_failures, did_harm, is_exhausted, newest, retry_at, setbacks
from kraut_worker.planning.settle import NEVER_STARTED
from kraut_worker.testing.scenes import NOW, make_operation


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 320), (7, 360), (100, 360), (10_000, 360)],
)
def test_pauses_are_those_of_the_job_controller(failures, seconds):
    assert retry_at(make_operation("Failed"), failures) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("sentence", "operation", "harm"),
    [
        ("a package failed -> half done", make_operation("Failed", exit_code=ExitCode.PACKAGE_FAILED), True),
        ("the disk was full -> half done", make_operation("Failed", exit_code=ExitCode.NO_SPACE), True),
        ("it was killed -> half done", make_operation("Lost", message="it was killed"), True),
        ("the lock was held -> as before", make_operation("Failed", exit_code=ExitCode.LOCK_TIMEOUT), False),
        (
            "the repository was down -> as before",
            make_operation("Failed", exit_code=ExitCode.REPOSITORY_UNREACHABLE),
            False,
        ),
        ("the file system is read-only -> as before", make_operation("Failed", exit_code=ExitCode.READ_ONLY), False),
        ("there was no room to begin -> as before", make_operation("Failed", exit_code=ExitCode.NO_ROOM), False),
        ("apt found no way -> as before", make_operation("Failed", exit_code=ExitCode.UNRESOLVABLE), False),
        ("systemd refused -> as before", make_operation("Failed", exit_code=ExitCode.REBOOT_REFUSED), False),
        ("a repair failed -> half done", make_operation("Failed", exit_code=ExitCode.REPAIR_FAILED), True),
        ("it never started -> as before", make_operation("Lost", message=NEVER_STARTED), False),
        ("it succeeded -> no harm", make_operation("Succeeded"), False),
        ("it runs -> no harm yet", make_operation(), False),
    ],
)
def test_harm(sentence, operation, harm):
    assert did_harm(operation) == harm, sentence


@pytest.mark.parametrize(
    ("sentence", "exit_code", "failures", "limit", "exhausted"),
    [
        ("as many as allowed -> tried again", ExitCode.PACKAGE_FAILED, 6, 6, False),
        ("one more -> given up", ExitCode.PACKAGE_FAILED, 7, 6, True),
        ("no retry allowed -> given up after the first", ExitCode.PACKAGE_FAILED, 1, 0, True),
        ("read-only does not heal -> given up", ExitCode.READ_ONLY, 7, 6, True),
        ("a full disk does not heal -> given up", ExitCode.NO_ROOM, 7, 6, True),
        ("apt finds no way tomorrow either -> given up", ExitCode.UNRESOLVABLE, 7, 6, True),
        ("time heals a held lock -> never given up", ExitCode.LOCK_TIMEOUT, 99, 0, False),
        ("time heals a repository -> never given up", ExitCode.REPOSITORY_UNREACHABLE, 99, 0, False),
    ],
)
def test_exhaustion(sentence, exit_code, failures, limit, exhausted):
    assert is_exhausted(make_operation("Failed", exit_code=exit_code), failures, limit) == exhausted, sentence


@pytest.mark.parametrize(
    ("before", "ended", "failures"),
    [
        (0, [], 0),
        (3, [], 3),
        (3, ["Failed"], 4),
        (3, ["Succeeded"], 0),
        (3, ["Failed", "Succeeded"], 1),
        (3, ["Succeeded", "Lost"], 0),
    ],
)
def test_failures_are_counted_from_the_oldest_on(before, ended, failures):
    assert count_failures(before, [make_operation(result) for result in ended]) == failures


def test_the_newest_that_ended_is_not_the_one_that_runs():
    ended = make_operation("Failed", id_="b")
    assert newest([make_operation(id_="a"), ended, make_operation("Succeeded", id_="c")]) is ended
    assert newest([make_operation()]) is None


def test_what_time_heals_neither_counts_nor_ends_the_row_and_slows_down():
    held = make_operation("Failed", exit_code=ExitCode.LOCK_TIMEOUT)
    broken = make_operation("Failed", exit_code=ExitCode.PACKAGE_FAILED)
    assert count_failures(2, [held, held]) == 2
    assert count_failures(2, [broken, held]) == 3
    assert setbacks([held, held, broken], generation=1, failures=2) == 4
    assert setbacks([broken, held, held], generation=1, failures=2) == 2
    assert setbacks([make_operation(), held], generation=1, failures=0) == 1
    assert setbacks([held, held], generation=2, failures=0) == 0
