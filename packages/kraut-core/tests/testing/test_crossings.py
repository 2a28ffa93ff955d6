"""Crossings: names that stay the same, a log that outlives the process, a death that comes once."""

import json
import signal
import subprocess
import sys

import pytest

from kraut_core.errors import UnreachableError
from kraut_core.testing.crossing_kube import shape
from kraut_core.testing.crossings import SCOPE, CrashPlan, Crossings


@pytest.fixture
def plan(tmp_path):
    """``plan(at=...)`` writes a plan for the target ``one`` and returns its file."""

    def write(at="", target="one"):
        file = tmp_path / "plan.json"
        CrashPlan(target=target, log=str(tmp_path / "log"), marker=str(tmp_path / "marker"), at=at).write(file)
        return file

    return write


def names(tmp_path):
    log = tmp_path / "log"
    return [json.loads(line)["name"] for line in log.read_text().splitlines()] if log.exists() else []


def course(crossings, target="one"):
    """An activity that runs twice, and asks twice each time."""
    for _ in range(2):
        SCOPE.set(crossings.scope(target, "assess"))
        for _ in range(2):
            with crossings.around("ask"):
                pass


def test_the_same_course_has_the_same_names(plan, tmp_path):
    expected = [
        f"assess.{run}/ask.{call}/{phase}" for run in (1, 2) for call in (1, 2) for phase in ("before", "after")
    ]
    for _ in range(2):
        course(Crossings(plan()))
    assert names(tmp_path) == expected * 2


def test_only_the_target_counts_and_a_new_target_counts_from_one(plan, tmp_path):
    crossings = Crossings(plan())
    course(crossings, target="another")
    assert names(tmp_path) == []
    course(crossings)
    plan(target="two")
    course(crossings, target="two")
    assert names(tmp_path)[:8] == names(tmp_path)[8:]


def test_without_a_plan_or_a_scope_nothing_is_logged(plan, tmp_path):
    course(Crossings(tmp_path / "absent.json"))
    SCOPE.set(None)
    with Crossings(plan()).around("ask"):
        pass
    assert names(tmp_path) == []


def test_an_error_is_a_crossing_of_its_own(plan, tmp_path):
    crossings = Crossings(plan())
    SCOPE.set(crossings.scope("one", "assess"))
    with pytest.raises(UnreachableError), crossings.around("ask"):
        raise UnreachableError("nobody there")
    assert names(tmp_path) == ["assess.1/ask.1/before", "assess.1/ask.1/refused"]


PROGRAM = """
import sys
from pathlib import Path
from kraut_core.testing.crossings import SCOPE, Crossings
crossings = Crossings(Path(sys.argv[1]))
SCOPE.set(crossings.scope("one", "assess"))
with crossings.around("ask"):
    print("asked", flush=True)
"""


@pytest.mark.parametrize(("phase", "asked"), [("before", ""), ("after", "asked\n")])
@pytest.mark.parametrize("number", ["1", "*"])
def test_the_process_dies_at_the_point_once(plan, tmp_path, phase, asked, number):
    argv = [sys.executable, "-c", PROGRAM, str(plan(at=f"assess.1/ask.{number}/{phase}"))]
    first = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stdout) == (-signal.SIGKILL, asked)
    assert names(tmp_path)[-1] == f"assess.1/ask.1/{phase}"

    again = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, "asked\n")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/kraut.dev/v1alpha1/namespaces/a/hosts/b/status", "hosts/_/status"),
        ("/apis/kraut.dev/v1alpha1/namespaces/a/hosts", "hosts"),
        ("/apis/kraut.dev/v1alpha1/hosts", "hosts"),
        ("/api/v1/namespaces/a/secrets/b", "secrets/_"),
        ("/api/v1/namespaces/kube-system", "namespaces/_"),
        ("/apis/events.k8s.io/v1/namespaces/a/events", "events"),
    ],
)
def test_paths_without_names(path, expected):
    assert shape(path) == expected
