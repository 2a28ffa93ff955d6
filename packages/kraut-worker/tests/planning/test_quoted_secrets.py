"""What a host says may hold its secrets; what is quoted of it does not (fault matrix: I7)."""

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.planning.scene import Problem

QUOTED = "Failed to fetch https://apt:hunter2@mirror.example.com/debian and password=hunter2"


def test_a_problem_quotes_no_secret() -> None:
    problem = Problem.of(UnknownOutcomeError(QUOTED))
    assert "hunter2" not in problem.message
    assert "mirror.example.com" in problem.message
